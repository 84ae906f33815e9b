//! A raw tail of more than one page: what is shown of it, and what is told.

use serde_json::json;

use super::*;

/// A document that leaves a page of a megabyte room for some eighty.
fn bulky(n: usize) -> String {
    json!({ "n": n, "cpu": {"usage": n}, "text": "x".repeat(12_000) }).to_string()
}

/// More than a megabyte of the last minute by two busy sources, the older of which reported in its first half only,
/// and before them a report of a third one.
async fn busy() -> World {
    let world = World::start().await;
    world.store("shop", "quiet", -3 * MINUTE_MS, r#"{"n":1000}"#).await;
    for n in 0..100 {
        let source = if n < 10 { "early" } else { "late" };
        // All of it in the hour that has begun.
        world.store("shop", source, -50_000 + 500 * n as i64, &bulky(n)).await;
    }
    world
}

#[tokio::test]
async fn the_newest_report_of_each_source_is_told_however_much_they_report() {
    let world = busy().await;
    let told = async || {
        let latest = world.ask(Call { route: LATEST, ..Call::default() }).await.json();
        let reports = latest["reports"].as_array().unwrap();
        let told = reports.iter().map(|report| (report["source"].clone(), report["metrics"]["n"].clone()));
        told.collect::<Vec<_>>()
    };
    // What a page does not reach is told as it was noted, which the rollup function has not done yet.
    let (late, early, quiet) =
        ((json!("late"), json!(99)), (json!("early"), json!(9)), (json!("quiet"), json!(1000)));
    assert_eq!(told().await, [late.clone(), quiet.clone()]);
    let noted = world.stored.lock().unwrap()[10].clone();
    world.roll_up(&noted).await;
    assert_eq!(told().await, [late, early, quiet]);
}

#[tokio::test]
async fn the_overview_and_the_series_follow_an_app_that_reports_much() {
    let world = busy().await;
    let overview = world.ask(Call { route: "GET /apps", ..Call::default() }).await.json();
    let shop = &overview["apps"][0];
    assert_eq!((&shop["lastReport"], &shop["cpu"]), (&json!("2026-11-22T13:01:00.887Z"), &json!(99)));
    let series = world.ask(Call { route: SERIES, ..Call::default() }).await.json();
    assert_eq!(series["series"][1], json!({"name": "n", "unit": null, "last": 99}));
}

#[tokio::test]
async fn history_ends_where_its_raw_reports_are_more_than_a_page_and_tells_it() {
    let world = busy().await;
    let history = world.ask(Call { query: "agg=count&series=n", ..Call::default() }).await.json();
    assert_eq!(history["completeTo"], "2026-11-22T12:58:00.000Z");
    assert_eq!(history["to"], "2026-11-22T13:02:00.000Z");
}
