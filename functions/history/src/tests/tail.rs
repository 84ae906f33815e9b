//! Raw tails: more than one page, and rollups that lag behind.

use super::*;

/// A document of 12 KB: about eighty fit into a page of one megabyte.
fn large(n: usize) -> String {
    json!({ "n": n, "cpu": {"usage": n}, "text": "x".repeat(12_000) }).to_string()
}

/// More than a megabyte in the last minute from two sources, of which `early` reported only at its start, and an older
/// report of a third one.
async fn busy() -> TestService {
    let service = TestService::start().await;
    service.store("shop", "quiet", -3 * MINUTE_MS, r#"{"n":1000}"#).await;
    for n in 0..100 {
        let source = if n < 10 { "early" } else { "late" };
        // All of it in the running hour.
        service.store("shop", source, -50_000 + 500 * n as i64, &large(n)).await;
    }
    service
}

#[tokio::test]
async fn newest_report_of_each_source_is_answered_at_any_rate() {
    let service = busy().await;
    let last = async || {
        let latest = service.get(call(LATEST)).await.json();
        let reports = latest["reports"].as_array().unwrap();
        let last = reports.iter().map(|report| (report["source"].clone(), report["metrics"]["n"].clone()));
        last.collect::<Vec<_>>()
    };
    let [late, early, quiet] =
        [("late", 99), ("early", 9), ("quiet", 1000)].map(|(name, n)| (json!(name), json!(n)));
    // A page of the tail does not reach `early`, and the rollup function has not stored its last report yet.
    assert_eq!(last().await, [late.clone(), quiet.clone()]);
    let last_early = service.stored.lock().unwrap()[10].clone();
    service.roll_up(&last_early).await;
    assert_eq!(last().await, [late, early, quiet]);
}

#[tokio::test]
async fn overview_and_series_have_the_newest_of_many_reports() {
    let service = busy().await;
    let shop = &service.get(call(APPS)).await.json()["apps"][0];
    assert_eq!((&shop["lastReport"], &shop["cpu"]), (&json!("2026-11-22T13:01:00.887Z"), &json!(99)));
    let series = service.get(call(SERIES)).await.json();
    assert_eq!(series["series"][1], json!({"name": "n", "unit": null, "last": 99}));
}

#[tokio::test]
async fn history_ends_at_lagging_rollups_not_at_silence() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -20 * MINUTE_MS, r#"{"n":1}"#).await;
    let silent = service.get(metrics("agg=count")).await;
    assert_eq!(silent.total("n", "count"), 1.0);
    assert_eq!(silent.json()["completeTo"], "2026-11-22T13:01:01.387Z");
    // A report of five minutes ago without a rollup: others may be missing before it.
    service.put_row(5 * MINUTE_MS, r#"{"n":1}"#).await;
    let lagging = service.get(metrics("agg=count")).await;
    assert_eq!(lagging.total("n", "count"), 2.0);
    assert_eq!(lagging.json()["completeTo"], "2026-11-22T12:42:00.000Z");
}

#[tokio::test]
async fn history_ends_where_its_raw_reports_exceed_a_page() {
    let service = busy().await;
    let history = service.get(metrics("agg=count&series=n")).await.json();
    assert_eq!(history["completeTo"], "2026-11-22T12:58:00.000Z");
    assert_eq!(history["to"], "2026-11-22T13:02:00.000Z");
}
