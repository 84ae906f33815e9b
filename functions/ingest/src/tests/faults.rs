//! What happens while AWS fails, and after.

use nsl_test_support::{Behaviour, Call, Failure};

use super::*;

/// Attempts of one call, including the first, as `nsl_aws::boot` sets.
const ATTEMPTS: usize = 3;

#[tokio::test]
async fn unreachable_dynamodb_is_unavailable_then_recovers() {
    let world = World::start().await;
    let cold = world.instance();
    let warm = world.warm_instance().await;
    world.env.dynamodb.go_offline();
    cold.receive(&metrics(&report(1))).await;
    warm.receive(&metrics(&report(1))).await;
    let frames = world.env.frames(PUBLISHER);
    assert_eq!(frames.len(), 2);
    for frame in frames {
        assert_eq!(frame["type"], "error");
        assert_eq!(frame["payload"]["code"], "unavailable");
        assert_eq!(frame["payload"]["retryable"], true);
    }
    world.env.take_calls();

    world.env.dynamodb.go_online();
    cold.receive(&metrics(&report(1))).await;
    warm.receive(&metrics(&report(2))).await;
    assert!(world.env.frames(PUBLISHER).is_empty());
    assert_eq!(world.stored().await, 3);
}

#[tokio::test]
async fn ack_lists_unstored_report_as_retryable() {
    let (world, ingest) = warm().await;
    world.env.dynamodb.fail("PutItem", Failure::InternalError, ATTEMPTS);
    ingest.receive(&metrics_with_id(&report(1))).await;
    let payload = &world.env.frames(PUBLISHER)[0]["payload"];
    assert_eq!(payload["accepted"], 0);
    assert_eq!(payload["rejected"][0]["code"], "unavailable");
    assert_eq!(payload["rejected"][0]["retryable"], true);
}

#[tokio::test]
async fn short_dynamodb_fault_is_retried() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    for failure in [Failure::Throttled, Failure::InternalError, Failure::ConnectionDropped] {
        world.env.dynamodb.fail("PutItem", failure, 1);
        world.env.dynamodb.fail("Query", failure, 1);
        ingest.receive(&metrics(&report(1))).await;
        assert_eq!(world.env.frames(VIEWER).len(), 1, "{failure:?}");
        assert!(world.env.frames(PUBLISHER).is_empty(), "{failure:?}");
        assert_eq!(world.env.take_calls().len(), 5, "{failure:?}");
    }
}

#[tokio::test]
async fn unstored_report_is_not_broadcast() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.dynamodb.fail("PutItem", Failure::InternalError, ATTEMPTS);
    ingest.receive(&metrics(&report(1))).await;
    let calls = world.env.take_calls();
    assert!(calls.iter().all(|call| call.operation == "PutItem" || call.target == PUBLISHER), "{calls:?}");
}

#[tokio::test]
async fn report_is_stored_while_subscribers_cannot_be_read() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.dynamodb.fail("Query", Failure::InternalError, ATTEMPTS);
    ingest.receive(&metrics_with_id(&report(1))).await;
    assert_eq!(world.env.frames(PUBLISHER)[0]["payload"]["accepted"], 1);
    assert!(world.env.frames(VIEWER).is_empty());
    assert_eq!(world.stored().await, 2);
}

#[tokio::test]
async fn blocked_subscriber_delays_no_other() {
    let world = World::start().await;
    world.subscribers(4).await;
    let ingest = world.warm_instance().await;
    world.env.connections.set_behaviour(VIEWER, Behaviour::Blocked);
    world.env.connections.set_behaviour("viewer-1=", Behaviour::Gone);
    world.env.connections.set_behaviour("viewer-2=", Behaviour::InternalError);
    let batch = metrics(&json!([report(1), report(2), report(3)]));
    let handled = ingest.receive(&batch);
    let posts_to = |calls: &[Call], target: &str| calls.iter().filter(|call| call.target == target).count();
    let observed = async {
        // The fast viewer gets all three frames before the blocked one accepts its first.
        world.env.wait(|calls| posts_to(calls, "viewer-3=") == 3).await;
        world.env.wait(|calls| calls.iter().any(|call| call.operation == "DeleteItem")).await;
        assert_eq!(world.env.frames(VIEWER).len(), 1);
        world.env.connections.unblock();
    };
    tokio::join!(handled, observed);
    assert_eq!(world.env.frames(VIEWER).len(), 3);
    assert_eq!(world.env.frames("viewer-1=").len(), 1);
    assert_eq!(world.env.frames("viewer-2=").len(), ATTEMPTS);
    assert_eq!(world.stored().await, 4);
}

#[tokio::test]
async fn throttled_post_is_retried() {
    let world = World::start().await;
    world.subscribers(2).await;
    let ingest = world.warm_instance().await;
    world.env.connections.set_behaviour(VIEWER, Behaviour::Throttled);
    ingest.receive(&metrics(&report(1))).await;
    assert_eq!(world.env.frames(VIEWER).len(), ATTEMPTS);
    assert_eq!(world.env.frames("viewer-1=").len(), 1);
    let rows = world.env.rows("ConnectionsTable").await;
    assert!(rows.iter().any(|row| row["sk"]["S"] == "s#viewer-0="), "a throttled viewer is not gone");
}

#[tokio::test]
async fn report_is_stored_without_the_connections_api() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.connections.go_offline();
    ingest.receive(&metrics_with_id(&report(1))).await;
    assert_eq!(world.stored().await, 2);
    world.env.connections.go_online();
    world.env.take_calls();
    ingest.receive(&metrics_with_id(&report(2))).await;
    assert_eq!(world.env.frames(VIEWER).len(), 1);
    assert_eq!(world.env.frames(PUBLISHER).len(), 1);
}
