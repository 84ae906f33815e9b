//! What an answer costs: a few queries whatever its window, eventually consistent for rollups and consistent for the
//! raw tail, and never a scan.

use super::*;

const READ_APP: &str = "GetItem AppsTable consistent";
const READ_ROLLUPS: &str = "Query RollupsTable eventual";
const READ_TAIL: &str = "Query ReportsTable consistent";

#[tokio::test]
async fn a_range_costs_the_same_few_queries_whatever_was_reported() {
    let world = World::start().await;
    let history = world.instance();
    for minutes in [3, 25, 70, 200, 3_000] {
        world.store("shop", "web-1", -minutes * MINUTE_MS, r#"{"a":1}"#).await;
    }
    ask(&history, Call::default()).await;
    world.bed.take_calls();
    // Each finer resolution is asked for too, and the tail, which lies in two hours at one minute past one.
    for (time_range, resolutions) in [("hour", 1), ("day", 2), ("week", 3)] {
        let query = format!("timeRange={time_range}");
        let answer = ask(&history, Call { query: &query, ..Call::default() }).await;
        assert_eq!(answer.status, 200);
        let lines = world.bed.take_lines();
        assert_eq!(lines.iter().filter(|line| *line == READ_ROLLUPS).count(), resolutions, "{time_range}");
        let tail = lines.iter().filter(|line| *line == READ_TAIL).count();
        assert!((1..=2).contains(&tail), "{time_range}: {lines:?}");
        assert_eq!(lines.len(), resolutions + tail);
    }
}

#[tokio::test]
async fn the_dashboard_costs_no_call_of_a_store() {
    let world = World::start().await;
    let event = events::http_call("GET /", ("/", ""), &[], &[], None);
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let answer = world.instance().answer(&request, TimestampMs::clamped(NOW_MS)).await;
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(world.bed.take_lines(), Vec::<String>::new());
}

#[tokio::test]
async fn a_summary_costs_one_query_more_for_the_window_before() {
    let world = World::start().await;
    let history = world.instance();
    for minutes in [3, 25, 70, 200, 3_000, 15_000] {
        world.store("shop", "web-1", -minutes * MINUTE_MS, r#"{"a":1}"#).await;
    }
    ask(&history, Call::default()).await;
    world.bed.take_calls();
    for (time_range, queries) in [("hour", 2), ("day", 3), ("week", 4)] {
        let query = format!("timeRange={time_range}");
        ask(&history, Call { route: SUMMARY, query: &query, ..Call::default() }).await;
        let lines = world.bed.take_lines();
        assert_eq!(lines.iter().filter(|line| *line == READ_ROLLUPS).count(), queries, "{time_range}");
        // What is over has no tail.
        let tail = lines.iter().filter(|line| *line == READ_TAIL).count();
        assert!((1..=2).contains(&tail), "{time_range}: {lines:?}");
        assert_eq!(lines.len(), queries + tail);
    }
}

#[tokio::test]
async fn a_shard_more_costs_the_queries_again() {
    let world = World::start().await;
    let mut wide = app("wide");
    wide.shards = 3;
    world.register(&wide).await;
    let call = Call { app: "wide", grant: Some(grant("wide", Scope::View)), ..Call::default() };
    world.ask(call).await;
    let lines = world.bed.take_lines();
    assert_eq!(lines[0], READ_APP);
    assert_eq!(lines.iter().filter(|line| *line == READ_ROLLUPS).count(), 3);
    assert_eq!(lines.iter().filter(|line| *line == READ_TAIL).count(), 6);
}

#[tokio::test]
async fn what_the_caller_has_is_not_sent_again_until_something_is_reported() {
    let world = World::start().await;
    world.store("shop", "web-1", -MINUTE_MS * 10, r#"{"a":1}"#).await;
    let first = world.ask(Call::default()).await;
    assert!(!first.tag.is_empty());
    let again = world.ask(Call { has: &first.tag, ..Call::default() }).await;
    assert_eq!((again.status, again.text.as_str(), &again.tag), (304, "", &first.tag));
    let other = world.ask(Call { has: &first.tag, query: "timeRange=day", ..Call::default() }).await;
    assert_eq!(other.status, 200);
    world.store("shop", "web-1", -500, r#"{"a":2}"#).await;
    assert_eq!(world.ask(Call { has: &first.tag, ..Call::default() }).await.status, 200);
}

#[tokio::test]
async fn a_cold_instance_reads_the_app_once() {
    let world = World::start().await;
    let history = world.instance();
    for reads in [1, 0] {
        ask(&history, Call::default()).await;
        let lines = world.bed.take_lines();
        assert_eq!(lines.iter().filter(|line| *line == READ_APP).count(), reads);
    }
}

#[tokio::test]
async fn the_latest_reports_cost_one_query_and_the_tail() {
    let world = World::start().await;
    let history = world.instance();
    for (route, extra) in [(LATEST, &[READ_APP][..]), (LATEST, &[]), (SERIES, &[])] {
        ask(&history, Call { route, ..Call::default() }).await;
        let expected = [extra, &["Query RollupsTable consistent", READ_TAIL, READ_TAIL]].concat();
        assert_eq!(world.bed.take_lines(), expected);
    }
}

#[tokio::test]
async fn a_call_that_is_refused_reads_no_report() {
    let world = World::start().await;
    for (call, lines) in [
        (Call { query: "timeRange=year", ..Call::default() }, &[READ_APP][..]),
        (Call { grant: Some(grant("bank", Scope::View)), ..Call::default() }, &[READ_APP]),
        (Call { app: "a b", ..Call::default() }, &[]),
        (Call { route: "GET /health", grant: None, ..Call::default() }, &[]),
        (Call { route: "GET /nowhere", ..Call::default() }, &[]),
    ] {
        world.ask(call).await;
        assert_eq!(world.bed.take_lines(), lines);
    }
}
