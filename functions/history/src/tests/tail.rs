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
async fn history_ends_where_its_rollups_do_while_they_lag_and_not_where_an_app_was_silent() {
    let world = World::start().await;
    world.store("shop", "web-1", -20 * MINUTE_MS, r#"{"n":1}"#).await;
    let complete_to = async |has_returned: bool| {
        let history = world.ask(Call { query: "agg=count", ..Call::default() }).await.json();
        let sum =
            history["series"]["n"]["count"].as_array().unwrap().iter().filter_map(Value::as_i64).sum::<i64>();
        assert_eq!(sum, 1 + i64::from(has_returned));
        history["completeTo"].clone()
    };
    assert_eq!(complete_to(false).await, "2026-11-22T13:01:01.387Z");
    // A report of five minutes ago that was rolled up by nobody: there may be others before it.
    let hour = (NOW_MS - 5 * MINUTE_MS) / 1000;
    let row = json!({"pk": {"S": "shop#2026-11-22T12#0"}, "sk": {"S": format!("{:015}#x#0", hour * 1000)},
        "appId": {"S": "shop"}, "source": {"S": "x"}, "timestamp": {"N": (hour * 1000).to_string()},
        "document": {"S": r#"{"n":1}"#}, "expiresAt": {"N": (hour + 72 * 3_600).to_string()}});
    world.env.put("ReportsTable", row).await;
    assert_eq!(complete_to(true).await, "2026-11-22T12:42:00.000Z");
}

#[tokio::test]
async fn history_ends_where_its_raw_reports_are_more_than_a_page_and_tells_it() {
    let world = busy().await;
    let history = world.ask(Call { query: "agg=count&series=n", ..Call::default() }).await.json();
    assert_eq!(history["completeTo"], "2026-11-22T12:58:00.000Z");
    assert_eq!(history["to"], "2026-11-22T13:02:00.000Z");
}
