//! What happens while AWS fails, and after.

use nsl_aws::counters::Counter;
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
    let rows = world.env.connection_rows().await;
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

#[tokio::test]
async fn panic_in_one_report_costs_no_other() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.panic_on("PutItem", "poison", 1);
    let mut batch: Vec<Value> = (1..=5).map(report).collect();
    batch.insert(2, json!({"appId": "shop", "metrics": {"poison": 1}}));
    ingest.receive(&metrics_with_id(&json!(batch))).await;
    let payload = world.env.frames(PUBLISHER)[0]["payload"].clone();
    assert_eq!(payload["accepted"], 5, "{payload}");
    assert_eq!(payload["rejected"].as_array().unwrap().len(), 1, "{payload}");
    let rejected = &payload["rejected"][0];
    assert_eq!((&rejected["index"], &rejected["code"]), (&json!(2), &json!("unavailable")));
    assert_eq!(rejected["retryable"], true);
    assert!(!payload.to_string().contains("injected"), "{payload}");
    assert_eq!(world.env.frames(VIEWER).len(), 5);
    assert_eq!(world.stored().await, 6);
    world.env.take_calls();

    ingest.receive(&metrics_with_id(&json!([batch[2]]))).await;
    assert_eq!(world.env.frames(PUBLISHER)[0]["payload"]["accepted"], 1, "the instance goes on");
}

#[tokio::test]
async fn panic_in_a_report_of_the_library_costs_only_that_report() {
    let world = World::start().await;
    world.open(PUBLISHER, Some(&Grant { proof: Proof::Legacy, ..publishing("shop") })).await;
    let ingest = world.instance();
    world.env.panic_on("PutItem", "poison", 1);
    for (offset_ms, document) in [(-2_000, json!({"poison": 1})), (-1_000, json!({"a": 1}))] {
        let data =
            json!({"userId": "ann", "appId": "shop", "timestamp": NOW_MS + offset_ms, "metrics": document});
        ingest.receive(&json!({"type": "send_metrics", "data": data}).to_string()).await;
    }
    assert_eq!(world.stored().await, 1);
}

#[tokio::test]
async fn panic_before_a_frame_is_stored_is_answered_as_a_fault() {
    let (world, ingest) = cold().await;
    world.open(PUBLISHER, Some(&publishing("shop"))).await;
    world.env.panic_on("GetItem", "shop", 1);
    ingest.receive(&metrics_with_id(&report(1))).await;
    let frame = &world.env.frames(PUBLISHER)[0];
    assert_eq!((&frame["type"], &frame["payload"]["code"]), (&json!("error"), &json!("unavailable")));
    assert_eq!((&frame["payload"]["id"], &frame["payload"]["retryable"]), (&json!("f1"), &json!(true)));
    ingest.receive(&metrics_with_id(&report(1))).await;
    assert_eq!(world.env.frames(PUBLISHER)[1]["payload"]["accepted"], 1);
}

#[tokio::test]
async fn panic_while_broadcasting_one_app_costs_no_other() {
    let world = World::start().await;
    world.env.register(&app("bank", Status::Active)).await;
    world.subscribe("banker=", "bank", 0, Dialect::Modern).await;
    world.subscribers(1).await;
    let ingest = world.instance();
    let both = Grant { reach: GrantedApps::Apps(vec![id("bank"), id("shop")]), ..publishing("shop") };
    let both = Grant { proof: Proof::Token { issued: now() }, ..both };
    world.env.panic_on("Query", "app#bank", 1);
    for offset_ms in [0, 1] {
        let batch = json!([report_of("bank", offset_ms), report_of("shop", offset_ms)]);
        ingest.receive_by(&both, &metrics_with_id(&batch), NOW_MS).await;
    }
    let accepted: Vec<Value> =
        world.env.frames(PUBLISHER).iter().map(|frame| frame["payload"]["accepted"].clone()).collect();
    assert_eq!(accepted, [2, 2]);
    assert_eq!((world.env.frames(VIEWER).len(), world.env.frames("banker=").len()), (2, 1));
}

#[tokio::test]
async fn failed_read_of_subscribers_is_counted() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.dynamodb.fail("Query", Failure::Throttled, ATTEMPTS);
    ingest.receive(&metrics(&report(1))).await;
    assert_eq!(world.env.frames(VIEWER).len(), 0);
    let counts =
        [Counter::FailedReads, Counter::ThrottledReads].map(|counter| ingest.counters.total(counter));
    assert_eq!(counts, [1, ATTEMPTS as u64]);
}
