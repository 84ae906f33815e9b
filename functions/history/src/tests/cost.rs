//! What an answer costs: one query for each hour that its window touches, all consistent, and never a scan.

use super::*;

const READ_APP: &str = "GetItem AppsTable consistent";
const READ_HOUR: &str = "Query ReportsTable consistent";

#[tokio::test]
async fn a_range_costs_a_query_for_each_hour_that_it_touches() {
    let world = World::start().await;
    let history = world.instance();
    ask(&history, Call::default()).await;
    world.bed.take_calls();
    for (time_range, hours) in [
        // 12:02 to 13:02.
        ("hour", 2),
        // 13:10 of the day before to 13:10.
        ("day", 25),
        // Raw reports are kept for 48 hours: 13:01 of two days before to 14:00.
        ("week", 49),
    ] {
        let query = format!("timeRange={time_range}");
        let answer = ask(&history, Call { query: &query, ..Call::default() }).await;
        assert_eq!(answer.status, 200);
        assert_eq!(world.bed.take_lines(), vec![READ_HOUR; hours], "{time_range}");
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
    assert_eq!(lines[1..], [READ_HOUR; 6]);
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
async fn the_latest_reports_cost_the_queries_of_an_hour() {
    let world = World::start().await;
    let history = world.instance();
    ask(&history, Call { route: LATEST, ..Call::default() }).await;
    assert_eq!(world.bed.take_lines(), [READ_APP, READ_HOUR, READ_HOUR]);
    ask(&history, Call { route: LATEST, ..Call::default() }).await;
    assert_eq!(world.bed.take_lines(), [READ_HOUR; 2]);
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
