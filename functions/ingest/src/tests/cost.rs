//! What a frame costs: every call to AWS, in order, and of each read whether it is consistent.

use nsl_aws::cache::CACHE_TTL_MS;
use nsl_domain::unauthenticated::MAX_UNAUTHENTICATED_FRAMES;
use serde_json::Value;

use super::*;

const READ_SESSION: &str = "GetItem ConnectionsTable consistent";
const READ_APP: &str = "GetItem AppsTable consistent";
const STORE: &str = "PutItem ReportsTable";
const READ_SUBSCRIBERS: &str = "Query ConnectionsTable consistent";

/// The calls before the posts, and how many posts come after them; a call after a post is neither.
fn split(lines: Vec<String>) -> (Vec<String>, usize) {
    let first_post = lines.iter().position(|line| line.starts_with("POST ")).unwrap_or(lines.len());
    let (calls, posts) = lines.split_at(first_post);
    assert!(posts.iter().all(|line| line.starts_with("POST ")), "{posts:?}");
    (calls.to_vec(), posts.len())
}

#[tokio::test]
async fn one_report_costs_a_put_a_query_and_a_post_for_each_subscriber() {
    for subscribers in [0, 1, 100] {
        let world = World::start().await;
        world.subscribers(subscribers).await;
        let ingest = world.warm_instance().await;
        hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
        let (calls, posts) = split(world.env.take_lines());
        assert_eq!(calls, [STORE, READ_SUBSCRIBERS], "{subscribers} subscribers");
        assert_eq!(posts, subscribers);
    }
}

#[tokio::test]
async fn a_cold_instance_reads_the_app_once_and_the_session_where_the_handshake_granted_nothing() {
    let world = World::start().await;
    world.open(PUBLISHER, Some(&publishing("shop"))).await;
    world.env.take_calls();
    hear(&world.instance(), &metrics(&report(0)), STRANGER, NOW_MS).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION, READ_APP, STORE, READ_SUBSCRIBERS]);

    let granted = publishing("shop").to_text();
    hear(&world.instance(), &metrics(&report(1)), &[("grant", &granted)], NOW_MS).await;
    assert_eq!(world.env.take_lines(), [READ_APP, STORE, READ_SUBSCRIBERS]);
}

#[tokio::test]
async fn what_was_read_is_believed_for_a_minute_and_not_longer() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    hear(&ingest, &metrics(&report(0)), STRANGER, NOW_MS - 1 + CACHE_TTL_MS).await;
    assert_eq!(world.env.take_lines(), [STORE, READ_SUBSCRIBERS]);
    hear(&ingest, &metrics(&report(0)), STRANGER, NOW_MS + CACHE_TTL_MS).await;
    assert_eq!(world.env.take_lines(), [READ_SESSION, READ_APP, STORE, READ_SUBSCRIBERS]);
}

#[tokio::test]
async fn a_batch_costs_a_put_for_each_report_and_one_query() {
    let world = World::start().await;
    world.subscribers(2).await;
    let ingest = world.warm_instance().await;
    let batch: Vec<Value> = (0..100).map(report).collect();
    hear(&ingest, &metrics(&batch.into()), STRANGER, NOW_MS).await;
    let (calls, posts) = split(world.env.take_lines());
    let (last, puts) = calls.split_last().unwrap();
    assert_eq!(last, READ_SUBSCRIBERS);
    assert!(puts.len() == 100 && puts.iter().all(|line| line == STORE), "{puts:?}");
    assert_eq!(posts, 200);
}

#[tokio::test]
async fn an_answer_costs_a_post() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    hear(&ingest, &metrics_with_id(&report(0)), STRANGER, NOW_MS).await;
    let mut lines = world.env.take_lines();
    lines.sort();
    assert_eq!(lines, [&format!("POST {PUBLISHER}"), STORE, READ_SUBSCRIBERS]);
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_costs_no_call_but_its_answer() {
    let world = World::start().await;
    let ingest = world.instance();
    for frame in ["", "no json", "[]", r#"{"type":"metrics"}"#, r#"{"type":"metrics","data":[]}"#] {
        hear(&ingest, frame, STRANGER, NOW_MS).await;
        assert_eq!(world.env.take_lines(), [format!("POST {PUBLISHER}")], "{frame}");
    }
}

#[tokio::test]
async fn a_publisher_that_proved_nothing_is_looked_up_each_time_and_closed_in_the_end() {
    let world = World::start().await;
    world.open(PUBLISHER, None).await;
    world.env.take_calls();
    let ingest = world.instance();
    let answer = format!("POST {PUBLISHER}");
    for _ in 1..MAX_UNAUTHENTICATED_FRAMES {
        hear(&ingest, &metrics(&report(0)), STRANGER, NOW_MS).await;
        assert_eq!(world.env.take_lines(), [READ_SESSION, &answer]);
    }
    hear(&ingest, &metrics(&report(0)), STRANGER, NOW_MS).await;
    let close = format!("DELETE {PUBLISHER}");
    assert_eq!(world.env.take_lines(), [READ_SESSION, &answer, READ_SESSION, &close]);
}

#[tokio::test]
async fn unreadable_frames_of_a_publisher_that_proved_something_never_close_it() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    let after = NOW_MS + CACHE_TTL_MS + 1;
    for (at_ms, reads) in [(NOW_MS, 0), (after, 3)] {
        for _ in 0..3 * MAX_UNAUTHENTICATED_FRAMES {
            hear(&ingest, r#"{"type":"metrics"}"#, STRANGER, at_ms).await;
        }
        let lines = world.env.take_lines();
        assert_eq!(lines.iter().filter(|line| *line == READ_SESSION).count(), reads);
        assert!(!lines.contains(&format!("DELETE {PUBLISHER}")), "{lines:?}");
    }
}

#[tokio::test]
async fn a_gone_subscriber_costs_a_delete_once() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    world.env.connections.set_behaviour("viewer-0=", nsl_test_support::Behaviour::Gone);
    hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
    assert_eq!(
        world.env.take_lines(),
        [STORE, READ_SUBSCRIBERS, "POST viewer-0=", "DeleteItem ConnectionsTable"]
    );
    hear(&ingest, &metrics(&report(2)), STRANGER, NOW_MS).await;
    assert_eq!(world.env.take_lines(), [STORE, READ_SUBSCRIBERS]);
}

#[tokio::test]
async fn a_refusal_costs_a_read_of_all_that_it_rests_on() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    let mut foreign = report(0);
    foreign["appId"] = json!("nowhere");
    for _ in 0..2 {
        hear(&ingest, &metrics(&foreign), STRANGER, NOW_MS).await;
        assert_eq!(
            world.env.take_lines(),
            [READ_APP, READ_SESSION, READ_APP, &format!("POST {PUBLISHER}")],
            "judged by the grant that is believed, then by the one that is"
        );
    }
}
