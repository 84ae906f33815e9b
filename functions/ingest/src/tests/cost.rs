//! What a frame costs: the calls to AWS in order, and whether reads are consistent.

use nsl_aws::cache::CACHE_TTL_MS;
use nsl_domain::unauthenticated::MAX_UNAUTHENTICATED_FRAMES;

use super::*;

const READ_SESSION: &str = "GetItem ConnectionsTable consistent";
const READ_APP: &str = "GetItem AppsTable consistent";
const STORE: &str = "PutItem ReportsTable";
const READ_SUBSCRIBERS: &str = "Query ConnectionsTable consistent";

/// The calls before the posts, and the number of posts; no other call may follow a post.
fn split(lines: Vec<String>) -> (Vec<String>, usize) {
    let first_post = lines.iter().position(|line| line.starts_with("POST ")).unwrap_or(lines.len());
    let (calls, posts) = lines.split_at(first_post);
    assert!(posts.iter().all(|line| line.starts_with("POST ")), "{posts:?}");
    (calls.to_vec(), posts.len())
}

#[tokio::test]
async fn report_costs_a_put_a_query_and_a_post_per_subscriber() {
    for subscribers in [0, 1, 100] {
        let world = World::start().await;
        world.subscribers(subscribers).await;
        let ingest = world.warm_instance().await;
        ingest.receive(&metrics(&report(1))).await;
        let (calls, posts) = split(world.env.take_lines());
        assert_eq!(calls, [STORE, READ_SUBSCRIBERS], "{subscribers} subscribers");
        assert_eq!(posts, subscribers);
    }
}

#[tokio::test]
async fn cold_instance_reads_app_and_session() {
    let world = World::start().await;
    world.open(PUBLISHER, Some(&publishing("shop"))).await;
    world.instance().receive(&metrics(&report(0))).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION, READ_APP, STORE, READ_SUBSCRIBERS]);

    world.instance().receive_by(&publishing("shop"), &metrics(&report(1)), NOW_MS).await;
    assert_eq!(world.env.take_lines(), [READ_APP, STORE, READ_SUBSCRIBERS]);
}

#[tokio::test]
async fn app_and_session_are_cached_for_a_minute() {
    let (world, ingest) = warm().await;
    ingest.receive_at(&metrics(&report(0)), NOW_MS - 1 + CACHE_TTL_MS).await;
    assert_eq!(world.env.take_lines(), [STORE, READ_SUBSCRIBERS]);
    ingest.receive_at(&metrics(&report(0)), NOW_MS + CACHE_TTL_MS).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION, READ_APP, STORE, READ_SUBSCRIBERS]);
}

#[tokio::test]
async fn batch_costs_a_put_per_report_and_one_query() {
    let world = World::start().await;
    world.subscribers(2).await;
    let ingest = world.warm_instance().await;
    let batch: Vec<Value> = (0..100).map(report).collect();
    ingest.receive(&metrics(&batch.into())).await;
    let (calls, posts) = split(world.env.take_lines());
    let (last, puts) = calls.split_last().unwrap();
    assert_eq!(last, READ_SUBSCRIBERS);
    assert!(puts.len() == 100 && puts.iter().all(|line| line == STORE), "{puts:?}");
    assert_eq!(posts, 200);
}

#[tokio::test]
async fn ack_costs_a_post() {
    let (world, ingest) = warm().await;
    ingest.receive(&metrics_with_id(&report(0))).await;
    let mut lines = world.env.take_lines();
    lines.sort();
    assert_eq!(lines, [&format!("POST {PUBLISHER}"), STORE, READ_SUBSCRIBERS]);
}

#[tokio::test]
async fn malformed_frame_costs_its_reply_and_the_session_unless_cached() {
    for ((world, ingest), read) in [(cold().await, Some(READ_SESSION)), (warm().await, None)] {
        for frame in ["", "no json", "[]", r#"{"type":"metrics"}"#, r#"{"type":"metrics","data":[]}"#] {
            ingest.receive(frame).await;
            let reply = format!("POST {PUBLISHER}");
            assert_eq!(
                world.env.take_lines(),
                read.into_iter().chain([&*reply]).collect::<Vec<_>>(),
                "{frame}"
            );
        }
    }
}

#[tokio::test]
async fn unauthenticated_publisher_costs_a_read_per_frame_until_closed() {
    let world = World::start().await;
    world.open(PUBLISHER, None).await;
    let ingest = world.instance();
    let reply = format!("POST {PUBLISHER}");
    for _ in 1..MAX_UNAUTHENTICATED_FRAMES {
        ingest.receive(&metrics(&report(0))).await;
        assert_eq!(world.env.take_lines(), [READ_SESSION, &reply]);
    }
    ingest.receive(&metrics(&report(0))).await;
    let close = format!("DELETE {PUBLISHER}");
    assert_eq!(world.env.take_lines(), [READ_SESSION, &reply, READ_SESSION, &close]);
}

/// The library stays connected for ten minutes after a wrong `auth`, and keeps sending.
#[tokio::test]
async fn rejected_library_costs_a_read_a_second_at_most() {
    let world = World::start().await;
    world.open(PUBLISHER, None).await;
    world.env.sessions().count_rejection(&ConnectionId::new(PUBLISHER), now()).await.unwrap();
    let ingest = world.instance();
    let free = MAX_UNAUTHENTICATED_FRAMES as usize;
    for (from_ms, frames, every_ms, reads) in [(0, 1_000, 10, free + 10), (60_000, 20, 500, 10)] {
        world.env.take_calls();
        for n in 0..frames {
            ingest.receive_at(&metrics(&report(0)), NOW_MS + from_ms + n * every_ms).await;
        }
        let lines = world.env.take_lines();
        // Every tenth rejected frame also reads whether the connection is to be closed.
        let checks = usize::try_from(frames).unwrap() / free;
        let found = lines.iter().filter(|line| *line == READ_SESSION).count();
        assert!(found <= reads + checks, "{found} reads for {frames} frames");
        assert!(!lines.contains(&format!("DELETE {PUBLISHER}")), "{lines:?}");
    }
    let (publisher, grant) = (ConnectionId::new(PUBLISHER), publishing("shop"));
    let granted = world.env.sessions().store_grant(&publisher, &grant, now()).await;
    granted.unwrap();
    ingest.receive_at(&metrics(&report(1)), NOW_MS + 120_000).await;
    assert_eq!(world.stored().await, 1, "it is accepted once it has authenticated");
}

#[tokio::test]
async fn malformed_frames_never_close_an_authenticated_publisher() {
    let (world, ingest) = warm().await;
    let after = NOW_MS + CACHE_TTL_MS + 1;
    for (at_ms, reads) in [(NOW_MS, 0), (after, 1)] {
        for _ in 0..3 * MAX_UNAUTHENTICATED_FRAMES {
            ingest.receive_at(r#"{"type":"metrics"}"#, at_ms).await;
        }
        let lines = world.env.take_lines();
        assert_eq!(lines.iter().filter(|line| *line == READ_SESSION).count(), reads);
        assert!(!lines.contains(&format!("DELETE {PUBLISHER}")), "{lines:?}");
    }
}

#[tokio::test]
async fn gone_subscriber_costs_two_writes_once() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.connections.set_behaviour(VIEWER, nsl_test_support::Behaviour::Gone);
    ingest.receive(&metrics(&report(1))).await;
    assert_eq!(
        world.env.take_lines(),
        [
            STORE,
            READ_SUBSCRIBERS,
            "POST viewer-0=",
            "DeleteItem ConnectionsTable",
            "UpdateItem ConnectionsTable"
        ]
    );
    ingest.receive(&metrics(&report(2))).await;
    assert_eq!(world.env.take_lines(), [STORE, READ_SUBSCRIBERS]);
}

#[tokio::test]
async fn rejection_costs_a_read_of_app_and_session() {
    let (world, ingest) = warm().await;
    for _ in 0..2 {
        ingest.receive(&metrics(&report_of("nowhere", 0))).await;
        assert_eq!(
            world.env.take_lines(),
            [READ_APP, READ_SESSION, READ_APP, &format!("POST {PUBLISHER}")],
            "checked by the cached grant, then by that of the session"
        );
    }
}
