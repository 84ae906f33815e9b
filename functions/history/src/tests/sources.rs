//! More sources than one page of last reports.

use super::*;

#[tokio::test]
async fn one_page_of_sources_and_the_active_ones_are_listed() {
    let service = TestService::start().await;
    // The last reports of a hundred sources, ten minutes ago, are more than a megabyte; one source reports now.
    for n in 0..100 {
        let document = json!({ "n": n, "text": "x".repeat(12_000) }).to_string();
        let last = Report {
            app: id("shop"),
            source: Source::new(format!("s-{n:02}")).unwrap(),
            timestamp: now().plus_ms(-10 * MINUTE_MS),
            document: Document::accept(&document).unwrap(),
        };
        service.env.rollups().put_last_report(&last).await.unwrap();
    }
    service.store("shop", "a-1", -1_000, r#"{"cpu":{"usage":7}}"#).await;
    let history = service.instance();
    let latest = get(&history, call(LATEST)).await.json();
    let reports = latest["reports"].as_array().unwrap();
    assert!((70..100).contains(&reports.len()), "{}", reports.len());
    let is_listed = |name: &str| reports.iter().any(|report| report["source"] == name);
    // The page begins with the greatest names, which started last if a source is named by its start.
    assert_eq!((&reports[0]["source"], is_listed("s-99"), is_listed("s-00")), (&json!("a-1"), true, false));
    assert_eq!(latest["truncated"], json!(["sources"]));
    service.env.take_calls();
    let series = get(&history, call(SERIES)).await.json();
    assert_eq!(
        (&series["series"][0]["name"], &series["truncated"]),
        (&json!("cpu.usage"), &json!(["sources"]))
    );
    // One page of sources, and one of each of the two hours of the tail.
    assert_eq!(service.take_counts([READ_LAST_REPORTS, READ_TAIL]), [1, 2]);
    let shop = &get(&history, call(APPS)).await.json()["apps"][0];
    assert_eq!((&shop["sources"], &shop["cpu"]), (&json!(1), &json!(7)));
}

#[tokio::test]
async fn complete_answers_are_not_truncated() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -1_000, r#"{"cpu":{"usage":7}}"#).await;
    for route in [LATEST, SERIES, APPS, METRICS, SUMMARY] {
        let answer = service.get(call(route)).await;
        assert!(answer.status == 200 && !answer.text.contains("truncated"), "{route}: {}", answer.text);
    }
}
