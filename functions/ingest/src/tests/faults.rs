//! What happens when AWS fails: who is told, what is kept, and that it passes.

use nsl_test_support::{Call, Failure, Manner};

use super::*;

/// Attempts of one call, the first included: `nsl_aws::boot` says so.
const ATTEMPTS: usize = 3;

#[tokio::test]
async fn an_unreachable_store_is_told_as_unavailable_and_passes() {
    let world = World::start().await;
    let cold = world.instance();
    let warm = world.warm_instance().await;
    world.bed.store.shut();
    hear(&cold, &metrics(&report(1)), STRANGER, NOW_MS).await;
    hear(&warm, &metrics(&report(1)), STRANGER, NOW_MS).await;
    let frames = world.bed.frames(PUBLISHER);
    assert_eq!(frames.len(), 2);
    for frame in frames {
        assert_eq!(frame["type"], "error");
        assert_eq!(frame["payload"]["code"], "unavailable");
        assert_eq!(frame["payload"]["retryable"], true);
    }
    world.bed.take_calls();

    world.bed.store.reopen();
    hear(&cold, &metrics(&report(1)), STRANGER, NOW_MS).await;
    hear(&warm, &metrics(&report(2)), STRANGER, NOW_MS).await;
    assert!(world.bed.frames(PUBLISHER).is_empty());
    assert_eq!(world.stored().await, 3);
}

#[tokio::test]
async fn an_ack_tells_which_report_to_send_again() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    world.bed.store.fail("PutItem", Failure::Broken, ATTEMPTS);
    hear(&ingest, &metrics_with_id(&report(1)), STRANGER, NOW_MS).await;
    let payload = &world.bed.frames(PUBLISHER)[0]["payload"];
    assert_eq!(payload["accepted"], 0);
    assert_eq!(payload["rejected"][0]["code"], "unavailable");
    assert_eq!(payload["rejected"][0]["retryable"], true);
}

#[tokio::test]
async fn a_short_fault_of_the_store_is_not_noticed() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    for failure in [Failure::Throttled, Failure::Broken, Failure::Dropped] {
        world.bed.store.fail("PutItem", failure, 1);
        world.bed.store.fail("Query", failure, 1);
        hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
        assert_eq!(world.bed.frames("viewer-0=").len(), 1, "{failure:?}");
        assert!(world.bed.frames(PUBLISHER).is_empty(), "{failure:?}");
        assert_eq!(world.bed.take_calls().len(), 5, "{failure:?}");
    }
}

#[tokio::test]
async fn a_report_that_is_not_stored_is_not_broadcast() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.bed.store.fail("PutItem", Failure::Broken, ATTEMPTS);
    hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
    let calls = world.bed.take_calls();
    assert!(calls.iter().all(|call| call.operation == "PutItem" || call.target == PUBLISHER), "{calls:?}");
}

#[tokio::test]
async fn subscribers_that_cannot_be_read_cost_no_report() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.bed.store.fail("Query", Failure::Broken, ATTEMPTS);
    hear(&ingest, &metrics_with_id(&report(1)), STRANGER, NOW_MS).await;
    assert_eq!(world.bed.frames(PUBLISHER)[0]["payload"]["accepted"], 1);
    assert!(world.bed.frames("viewer-0=").is_empty());
    assert_eq!(world.stored().await, 2);
}

#[tokio::test]
async fn a_slow_subscriber_delays_nobody() {
    let world = World::start().await;
    world.subscribers(4).await;
    let ingest = world.warm_instance().await;
    world.bed.desk.treat("viewer-0=", Manner::Held);
    world.bed.desk.treat("viewer-1=", Manner::Gone);
    world.bed.desk.treat("viewer-2=", Manner::Broken);
    let batch = metrics(&json!([report(1), report(2), report(3)]));
    let heard = hear(&ingest, &batch, STRANGER, NOW_MS);
    let posts_to = |calls: &[Call], target: &str| calls.iter().filter(|call| call.target == target).count();
    let watched = async {
        // All three frames are with the fast one while the slow one has not even taken its first.
        world.bed.wait(|calls| posts_to(calls, "viewer-3=") == 3).await;
        world.bed.wait(|calls| calls.iter().any(|call| call.operation == "DeleteItem")).await;
        assert_eq!(world.bed.frames("viewer-0=").len(), 1);
        world.bed.desk.release();
    };
    tokio::join!(heard, watched);
    assert_eq!(world.bed.frames("viewer-0=").len(), 3);
    assert_eq!(world.bed.frames("viewer-2=").len(), ATTEMPTS);
    assert_eq!(world.stored().await, 4);
}

#[tokio::test]
async fn a_throttled_post_is_tried_again() {
    let world = World::start().await;
    world.subscribers(2).await;
    let ingest = world.warm_instance().await;
    world.bed.desk.treat("viewer-0=", Manner::Throttled);
    hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
    assert_eq!(world.bed.frames("viewer-0=").len(), ATTEMPTS);
    assert_eq!(world.bed.frames("viewer-1=").len(), 1);
    let rows = world.bed.rows("ConnectionsTable").await;
    assert!(rows.iter().any(|row| row["sk"]["S"] == "s#viewer-0="), "a throttled viewer is no gone one");
}

#[tokio::test]
async fn an_unreachable_desk_costs_no_report() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.bed.desk.shut();
    hear(&ingest, &metrics_with_id(&report(1)), STRANGER, NOW_MS).await;
    assert_eq!(world.stored().await, 2);
    world.bed.desk.reopen();
    world.bed.take_calls();
    hear(&ingest, &metrics_with_id(&report(2)), STRANGER, NOW_MS).await;
    assert_eq!(world.bed.frames("viewer-0=").len(), 1);
    assert_eq!(world.bed.frames(PUBLISHER).len(), 1);
}
