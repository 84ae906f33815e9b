//! History of older reports: whatever their order, lateness or stream faults, each counts exactly once in every range.

use serde_json::{Value, json};

use crate::system::harness::{App, Client, Gateway, counted, now_ms, report, shared_app};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Publishes one report for each age in milliseconds, numbered by index, and waits until all are stored.
async fn publish_aged(gateway: &Gateway, app: &App, ages_ms: &[i64]) {
    let mut publisher = Client::authenticated(gateway, app).await;
    let now = now_ms();
    for (batch, ages) in ages_ms.chunks(50).enumerate() {
        let numbered = |(n, age)| report(app, json!({"timestamp": now - age, "metrics": {"n": n}}));
        let ack = publisher.publish_as("batch", (batch * 50..).zip(ages).map(numbered).collect()).await;
        assert_eq!(ack["accepted"], ages.len());
    }
}

fn path(app: &App, range: &str) -> String {
    format!("/apps/{}/metrics?timeRange={range}&agg=count,sum,max", app.app_id)
}

#[tokio::test]
async fn each_range_counts_every_report_of_its_span_once() {
    let (gateway, app) = shared_app().await;
    let ages: Vec<i64> =
        [0, 1, 7, 20, 50, 130, 300, 1_300, 2_000].map(|minutes| minutes * MINUTE_MS).to_vec();
    publish_aged(gateway, &app, &ages).await;
    for (range, count) in [("hour", 5), ("day", 8), ("week", 9)] {
        let history =
            gateway.json_where(&path(&app, range), &app, |history| counted(history, "n") == count).await;
        let sums = history["series"]["n"]["sum"].as_array().unwrap();
        let sum: f64 = sums.iter().filter_map(Value::as_f64).sum();
        assert_eq!(sum, (0..count).sum::<u64>() as f64, "{range}");
    }
    let summary = format!("/apps/{}/summary?timeRange=week", app.app_id);
    let summary = gateway.json_where(&summary, &app, |summary| summary["series"][0]["count"] == 9).await;
    assert_eq!((&summary["series"][0]["min"], &summary["series"][0]["max"]), (&json!(0), &json!(8)));
}

#[tokio::test]
async fn stream_faults_change_no_count() {
    let gateway =
        Gateway::start(&["--memory", "--no-demo", "--stream-window", "0", "--stream-chaos", "7"]).await;
    let app = App::create(&gateway).await;
    // Late and unordered, over two days. Twice as many minutes are within the budget of late minutes, so that none waits
    // for another report even if each batch is delivered twice.
    let ages: Vec<i64> = (0..60).map(|place| (place * 7_919) % (46 * HOUR_MS / 1_000) * 1_000).collect();
    publish_aged(&gateway, &app, &ages).await;
    let history = gateway.json_where(&path(&app, "week"), &app, |history| counted(history, "n") == 60).await;
    let maxima = history["series"]["n"]["max"].as_array().unwrap();
    assert_eq!(maxima.iter().filter_map(Value::as_f64).fold(0.0, f64::max), 59.0);
    assert!(gateway.interrupt().await.success());
}

#[tokio::test]
async fn unchanged_history_gets_304() {
    let (gateway, app) = shared_app().await;
    publish_aged(gateway, &app, &[90 * MINUTE_MS]).await;
    let day = path(&app, "day");
    gateway.json_where(&day, &app, |history| counted(history, "n") == 1).await;
    let ask = |tag: String| {
        let request = gateway.http(reqwest::Method::GET, &day).bearer_auth(&app.api_key);
        async move { request.header("If-None-Match", tag).send().await.expect("an answer") }
    };
    // A coarser rollup may still be written.
    for _ in 0..50 {
        let tag = ask(String::new()).await.headers()["etag"].to_str().unwrap().to_owned();
        let again = ask(tag).await;
        if again.status() == 304 {
            assert!(again.headers()["cache-control"].to_str().unwrap().contains("private"));
            assert_eq!(again.text().await.unwrap(), "");
            return;
        }
    }
    panic!("an answer that does not change is sent again and again");
}

#[tokio::test]
async fn series_list_has_name_unit_and_last_value() {
    let (gateway, app) = shared_app().await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    let metrics = json!({"memory": {"used": 7}, "queue": 2});
    publisher.publish_as("m", report(&app, json!({ "metrics": metrics }))).await;
    let answer = gateway.json(&format!("/apps/{}/series", app.app_id), &app).await;
    assert_eq!(
        answer["series"],
        json!([{"name": "memory.used", "unit": "bytes", "last": 7}, {"name": "queue", "unit": null, "last": 2}])
    );
}
