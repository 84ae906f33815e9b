//! What happens when AWS fails: who is told, what is kept, and that it passes.

use nsl_test_support::{Behaviour, Call, Failure};

use super::*;

/// Attempts of one call, the first included: `nsl_aws::boot` says so.
const ATTEMPTS: usize = 3;

#[tokio::test]
async fn an_unreachable_store_is_told_as_unavailable_and_passes() {
    let world = World::start().await;
    let cold = world.instance();
    let warm = world.warm_instance().await;
    world.env.dynamodb.go_offline();
    hear(&cold, &metrics(&report(1)), STRANGER, NOW_MS).await;
    hear(&warm, &metrics(&report(1)), STRANGER, NOW_MS).await;
    let frames = world.env.frames(PUBLISHER);
    assert_eq!(frames.len(), 2);
    for frame in frames {
        assert_eq!(frame["type"], "error");
        assert_eq!(frame["payload"]["code"], "unavailable");
        assert_eq!(frame["payload"]["retryable"], true);
    }
    world.env.take_calls();

    world.env.dynamodb.go_online();
    hear(&cold, &metrics(&report(1)), STRANGER, NOW_MS).await;
    hear(&warm, &metrics(&report(2)), STRANGER, NOW_MS).await;
    assert!(world.env.frames(PUBLISHER).is_empty());
    assert_eq!(world.stored().await, 3);
}

#[tokio::test]
async fn an_ack_tells_which_report_to_send_again() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    world.env.dynamodb.fail("PutItem", Failure::InternalError, ATTEMPTS);
    hear(&ingest, &metrics_with_id(&report(1)), STRANGER, NOW_MS).await;
    let payload = &world.env.frames(PUBLISHER)[0]["payload"];
    assert_eq!(payload["accepted"], 0);
    assert_eq!(payload["rejected"][0]["code"], "unavailable");
    assert_eq!(payload["rejected"][0]["retryable"], true);
}

#[tokio::test]
async fn a_short_fault_of_the_store_is_not_noticed() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    for failure in [Failure::Throttled, Failure::InternalError, Failure::ConnectionDropped] {
        world.env.dynamodb.fail("PutItem", failure, 1);
        world.env.dynamodb.fail("Query", failure, 1);
        hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
        assert_eq!(world.env.frames("viewer-0=").len(), 1, "{failure:?}");
        assert!(world.env.frames(PUBLISHER).is_empty(), "{failure:?}");
        assert_eq!(world.env.take_calls().len(), 5, "{failure:?}");
    }
}

#[tokio::test]
async fn a_report_that_is_not_stored_is_not_broadcast() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.dynamodb.fail("PutItem", Failure::InternalError, ATTEMPTS);
    hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
    let calls = world.env.take_calls();
    assert!(calls.iter().all(|call| call.operation == "PutItem" || call.target == PUBLISHER), "{calls:?}");
}

#[tokio::test]
async fn subscribers_that_cannot_be_read_cost_no_report() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.dynamodb.fail("Query", Failure::InternalError, ATTEMPTS);
    hear(&ingest, &metrics_with_id(&report(1)), STRANGER, NOW_MS).await;
    assert_eq!(world.env.frames(PUBLISHER)[0]["payload"]["accepted"], 1);
    assert!(world.env.frames("viewer-0=").is_empty());
    assert_eq!(world.stored().await, 2);
}

#[tokio::test]
async fn a_slow_subscriber_delays_nobody() {
    let world = World::start().await;
    world.subscribers(4).await;
    let ingest = world.warm_instance().await;
    world.env.connections.set_behaviour("viewer-0=", Behaviour::Blocked);
    world.env.connections.set_behaviour("viewer-1=", Behaviour::Gone);
    world.env.connections.set_behaviour("viewer-2=", Behaviour::InternalError);
    let batch = metrics(&json!([report(1), report(2), report(3)]));
    let heard = hear(&ingest, &batch, STRANGER, NOW_MS);
    let posts_to = |calls: &[Call], target: &str| calls.iter().filter(|call| call.target == target).count();
    let watched = async {
        // All three frames are with the fast one while the slow one has not even taken its first.
        world.env.wait(|calls| posts_to(calls, "viewer-3=") == 3).await;
        world.env.wait(|calls| calls.iter().any(|call| call.operation == "DeleteItem")).await;
        assert_eq!(world.env.frames("viewer-0=").len(), 1);
        world.env.connections.unblock();
    };
    tokio::join!(heard, watched);
    assert_eq!(world.env.frames("viewer-0=").len(), 3);
    assert_eq!(world.env.frames("viewer-2=").len(), ATTEMPTS);
    assert_eq!(world.stored().await, 4);
}

#[tokio::test]
async fn a_throttled_post_is_tried_again() {
    let world = World::start().await;
    world.subscribers(2).await;
    let ingest = world.warm_instance().await;
    world.env.connections.set_behaviour("viewer-0=", Behaviour::Throttled);
    hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
    assert_eq!(world.env.frames("viewer-0=").len(), ATTEMPTS);
    assert_eq!(world.env.frames("viewer-1=").len(), 1);
    let rows = world.env.rows("ConnectionsTable").await;
    assert!(rows.iter().any(|row| row["sk"]["S"] == "s#viewer-0="), "a throttled viewer is no gone one");
}

#[tokio::test]
async fn an_unreachable_desk_costs_no_report() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.connections.go_offline();
    hear(&ingest, &metrics_with_id(&report(1)), STRANGER, NOW_MS).await;
    assert_eq!(world.stored().await, 2);
    world.env.connections.go_online();
    world.env.take_calls();
    hear(&ingest, &metrics_with_id(&report(2)), STRANGER, NOW_MS).await;
    assert_eq!(world.env.frames("viewer-0=").len(), 1);
    assert_eq!(world.env.frames(PUBLISHER).len(), 1);
}
