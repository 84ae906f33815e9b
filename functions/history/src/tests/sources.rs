//! More sources than one page holds: what is told of them, and that there are more.

use serde_json::json;

use super::*;

const APPS: &str = "GET /apps";

/// A hundred sources whose last reports, of ten minutes ago, are more than a megabyte, and one that reports now.
async fn crowded() -> World {
    let world = World::start().await;
    let rollups = world.env.rollups();
    for n in 0..100 {
        let document = json!({ "n": n, "text": "x".repeat(12_000) }).to_string();
        let last = Report {
            app: id("shop"),
            source: Source::new(format!("s-{n:02}")).unwrap(),
            timestamp: TimestampMs::clamped(NOW_MS - 10 * MINUTE_MS),
            document: Document::accept(&document).unwrap(),
        };
        rollups.put_last_report(&last).await.unwrap();
    }
    world.store("shop", "a-1", -1_000, r#"{"cpu":{"usage":7}}"#).await;
    world
}

#[tokio::test]
async fn a_page_of_sources_and_those_that_report_now_are_told_and_that_there_are_more() {
    let world = crowded().await;
    let history = world.instance();
    let latest = ask(&history, Call { route: LATEST, ..Call::default() }).await.json();
    let reports = latest["reports"].as_array().unwrap();
    assert!((70..100).contains(&reports.len()), "{}", reports.len());
    let told = |name: &str| reports.iter().any(|report| report["source"] == name);
    // Those whose names are greatest, which started last where a source is named by its start.
    assert_eq!((&reports[0]["source"], told("s-99"), told("s-00")), (&json!("a-1"), true, false));
    assert_eq!(latest["truncated"], json!(["sources"]));
    world.env.take_calls();
    let series = ask(&history, Call { route: SERIES, ..Call::default() }).await.json();
    assert_eq!(
        (&series["series"][0]["name"], &series["truncated"]),
        (&json!("cpu.usage"), &json!(["sources"]))
    );
    assert_eq!(world.env.take_lines().len(), 3, "a page each of sources and of the two hours of the tail");
    let overview = ask(&history, Call { route: APPS, ..Call::default() }).await.json();
    let shop = &overview["apps"][0];
    assert_eq!(
        (&shop["sources"], &shop["cpu"], &shop["truncated"]),
        (&json!(1), &json!(7), &json!(["sources"]))
    );
}

#[tokio::test]
async fn nothing_is_said_to_be_truncated_that_is_whole() {
    let world = World::start().await;
    world.store("shop", "web-1", -1_000, r#"{"cpu":{"usage":7}}"#).await;
    for route in [LATEST, SERIES, APPS, METRICS, SUMMARY] {
        let answer = world.ask(Call { route, ..Call::default() }).await;
        assert!(answer.status == 200 && !answer.text.contains("truncated"), "{route}: {}", answer.text);
    }
}
