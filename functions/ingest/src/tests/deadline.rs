//! What happens while AWS does not respond: an invocation ends before Lambda ends it, with its frame answered. A call that
//! has no time left for it is not repeated, which is what these tests count.

use std::time::Duration;

use nsl_aws::counters::Counter;
use nsl_aws::deadline;
use nsl_test_support::{Behaviour, Failure};

use super::*;

/// The time that Lambda gives the invocation: less than one attempt of a call may take.
const TIME: Duration = Duration::from_secs(2);

/// More viewers than are posted to at a time.
const VIEWERS: usize = 80;

async fn receive_in_time(ingest: &Ingest, frame: &str) {
    deadline::within(TIME, ingest.receive(frame)).await;
}

#[tokio::test]
async fn unresponsive_table_is_answered_as_unavailable() {
    for (operation, is_warm) in [("PutItem", true), ("GetItem", false)] {
        let world = World::start().await;
        world.open(PUBLISHER, Some(&publishing("shop"))).await;
        let ingest = if is_warm { world.warm_instance().await } else { world.instance() };
        world.env.dynamodb.fail(operation, Failure::NoResponse, usize::MAX);
        receive_in_time(&ingest, &metrics(&report(1))).await;
        assert_eq!(world.env.frames(PUBLISHER)[0]["payload"]["code"], "unavailable");
        let calls = world.env.take_calls();
        assert_eq!(calls.iter().filter(|call| call.operation == operation).count(), 1, "{calls:?}");
    }
}

#[tokio::test]
async fn unresponsive_table_and_connection_end_the_frame() {
    let (world, ingest) = warm().await;
    world.env.dynamodb.fail("PutItem", Failure::NoResponse, usize::MAX);
    world.env.connections.set_behaviour(PUBLISHER, Behaviour::Blocked);
    receive_in_time(&ingest, &metrics_with_id(&report(1))).await;
    let calls = world.env.take_calls();
    assert_eq!(calls.iter().map(|call| call.operation.as_str()).collect::<Vec<_>>(), ["PutItem", "POST"]);
}

#[tokio::test]
async fn frames_cut_off_by_the_deadline_are_counted_and_not_tried() {
    let world = World::start().await;
    world.subscribers(VIEWERS).await;
    let ingest = world.warm_instance().await;
    for viewer in 0..VIEWERS {
        world.env.connections.set_behaviour(&format!("viewer-{viewer}="), Behaviour::Blocked);
    }
    receive_in_time(&ingest, &metrics_with_id(&report(1))).await;
    assert_eq!(world.env.frames(PUBLISHER)[0]["payload"]["accepted"], 1, "the reply is not delayed");
    let posted = world.env.take_calls().iter().filter(|call| call.target.starts_with("viewer-")).count();
    assert!((1..VIEWERS).contains(&posted), "{posted} viewers were posted to");
    assert_eq!(ingest.counters.total(Counter::UndeliveredPosts), VIEWERS as u64);
    assert_eq!(world.env.connection_rows().await.len(), 2 * VIEWERS + 1, "no viewer is taken as gone");
}
