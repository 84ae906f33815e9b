//! History over HTTP: the columns of a span, and which keys may read them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::system::harness::{
    App, Client, DASHBOARD, FOREIGN_ORIGIN, Gateway, counted, library_frames, now_ms, report, shared_app,
};

/// An hour has this many points of this many seconds.
const HOUR_POINTS: usize = 60;
const STEP_SECONDS: i64 = 60;
/// Relative error of sums that are added in another order.
const TOLERANCE: f64 = 1e-9;

fn hour_of(app: &App) -> String {
    format!("/apps/{}/metrics?timeRange=hour", app.app_id)
}

async fn publish_recording(gateway: &Gateway, app: &App) -> BTreeMap<String, (i64, f64)> {
    let mut publisher = Client::authenticated(gateway, app).await;
    let mut reports = BTreeMap::new();
    for mut frame in library_frames(app, now_ms()) {
        let usage = frame["data"]["metrics"]["cpu"]["usage"].as_f64().expect("a usage");
        let stamp: Timestamp = frame["data"]["timestamp"].as_str().unwrap().parse().expect("a stamp");
        reports.insert(format!("{}{}", frame["data"]["metrics"], stamp), (stamp.as_second(), usage));
        frame["id"] = "recorded".into();
        publisher.send(&frame).await;
        assert_eq!(publisher.ack("recorded").await["accepted"], 1);
    }
    reports
}

fn close_to(found: &Value, expected: f64) -> bool {
    found.as_f64().is_some_and(|found| (found - expected).abs() <= expected.abs() * TOLERANCE)
}

#[tokio::test]
async fn head_has_the_headers_of_get_on_every_route() {
    let (gateway, app) = shared_app().await;
    let of_app = ["metrics", "metrics/latest", "summary", "series", "logs"];
    let of_app = of_app.map(|what| format!("/apps/{}/{what}", app.app_id));
    for path in of_app.iter().map(String::as_str).chain(["/", "/health", "/apps", "/nowhere"]) {
        let ask = async |method: Method| {
            let request =
                gateway.http(method, path).bearer_auth(&app.api_key).header("accept-encoding", "gzip");
            let response = request.send().await.expect("an answer");
            // Not `Cache-Control`, whose `max-age` counts down.
            let names = ["content-type", "content-encoding", "vary", "content-length"];
            let headers = names.map(|name| response.headers().get(name).cloned());
            (response.status(), headers, response.bytes().await.expect("a body").len())
        };
        let (get, head) = (ask(Method::GET).await, ask(Method::HEAD).await);
        assert_eq!((head.0, &head.1), (get.0, &get.1), "{path}");
        assert!(head.2 == 0 && get.2 > 0, "{path}");
    }
    let post = gateway.http(Method::POST, "/apps").bearer_auth(&app.api_key).send().await.expect("an answer");
    assert_eq!(post.status(), 404);
}

#[tokio::test]
async fn the_hour_holds_exactly_what_the_library_reported() {
    let (gateway, app) = shared_app().await;
    let reports = publish_recording(gateway, &app).await;

    let history = gateway.json(&hour_of(&app), &app).await;
    let timestamps: Vec<i64> = serde_json::from_value(history["timestamps"].clone()).expect("epoch seconds");
    assert_eq!(timestamps.len(), HOUR_POINTS);
    assert!(timestamps.windows(2).all(|pair| pair[1] - pair[0] == STEP_SECONDS), "{timestamps:?}");
    assert_eq!((&history["appId"], &history["timeRange"]), (&json!(app.app_id), &json!("hour")));
    assert_eq!(history["step"], STEP_SECONDS);

    let usage = &history["series"]["cpu.usage"];
    for (index, start) in timestamps.iter().enumerate() {
        let within = reports.values().filter(|(second, _)| (*start..start + STEP_SECONDS).contains(second));
        let values: Vec<f64> = within.map(|(_, usage)| *usage).collect();
        if values.is_empty() {
            assert!(usage["avg"][index].is_null() && usage["max"][index].is_null(), "point {index} is a gap");
            continue;
        }
        let sum: f64 = values.iter().sum();
        let (min, max) = values.iter().fold((f64::MAX, f64::MIN), |(min, max), v| (min.min(*v), max.max(*v)));
        assert_eq!(usage["count"][index], values.len(), "{usage}");
        assert!(close_to(&usage["avg"][index], sum / values.len() as f64), "{usage}");
        assert!(close_to(&usage["min"][index], min) && close_to(&usage["max"][index], max), "{usage}");
        let p95 = usage["p95"][index].as_f64().expect("a percentile");
        assert!(p95 >= min * 0.98 && p95 <= max * 1.02, "{p95} lies outside {min} to {max}");
    }
    assert_eq!(counted(&history, "cpu.usage"), reports.len() as u64);
    let average = reports.values().map(|(_, usage)| usage).sum::<f64>() / reports.len() as f64;
    assert!(close_to(&history["cpu"]["usage"], average), "{} is not {average}", history["cpu"]);
}

#[tokio::test]
async fn only_numeric_leaves_become_series() {
    let (gateway, app) = shared_app().await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    let metrics = json!({"cpu": {"loadAverage": [1, 2.5]}, "custom": {"deep": {"queue": 3}}, "NaN": "NaN",
        "name": "x", "on": true, "none": null});
    let ack = publisher.publish_as("m", report(&app, json!({ "metrics": metrics }))).await;
    assert_eq!(ack["accepted"], 1);
    let history = gateway.json(&hour_of(&app), &app).await;
    let names: Vec<_> = history["series"].as_object().expect("series by name").keys().collect();
    assert_eq!(names, ["cpu.loadAverage.0", "cpu.loadAverage.1", "custom.deep.queue"]);
}

#[tokio::test]
async fn application_without_reports_has_an_empty_hour() {
    let (gateway, app) = shared_app().await;
    let history = gateway.json(&hour_of(&app), &app).await;
    assert_eq!(history["timestamps"].as_array().map(Vec::len), Some(HOUR_POINTS));
    assert_eq!(history["series"], json!({}));
}

#[tokio::test]
async fn foreign_and_unknown_histories_are_rejected_alike() {
    let gateway = Gateway::shared();
    let (app, other) = (App::create(gateway).await, App::create(gateway).await);
    let unknown = gateway.get("/apps/no-such-application/metrics?timeRange=hour", Some(&other.api_key)).await;
    let foreign = gateway.get(&hour_of(&app), Some(&other.api_key)).await;
    assert!([401, 403, 404].contains(&foreign.status().as_u16()), "{}", foreign.status());
    assert_eq!(foreign.status(), unknown.status(), "a foreign application differs from an unknown one");
    assert_eq!(foreign.text().await.unwrap(), unknown.text().await.unwrap());
}

#[tokio::test]
async fn invalid_query_gets_400_with_a_reason() {
    let (gateway, app) = shared_app().await;
    let rejection =
        gateway.get(&format!("/apps/{}/metrics?timeRange=eon", app.app_id), Some(&app.api_key)).await;
    assert_eq!(rejection.status(), 400);
    let body: Value = rejection.json().await.expect("an error is JSON");
    assert!(body["message"].is_string() && body["code"].is_string(), "{body}");
}

#[tokio::test]
async fn latest_has_one_report_per_source() {
    let (gateway, app) = shared_app().await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    for (n, source) in [(1, "web-1"), (2, "web-2"), (3, "web-1")] {
        let data = report(&app, json!({"source": source, "metrics": {"n": n}}));
        publisher.publish_as("m", data).await;
    }
    let path = format!("/apps/{}/metrics/latest", app.app_id);
    let text = gateway.json(&path, &app).await.to_string();
    assert!(text.contains("web-1") && text.contains("web-2"), "{text}");
    assert!(text.contains("\"n\":3") && text.contains("\"n\":2") && !text.contains("\"n\":1"), "{text}");
}

#[tokio::test]
async fn health_needs_no_key() {
    let response = Gateway::shared().get("/health", None).await;
    assert_eq!(response.status(), 200);
    assert!(response.text().await.unwrap().contains(env!("CARGO_PKG_VERSION")), "health names the version");
}

#[tokio::test]
async fn history_has_the_librarys_base_path() {
    let (gateway, app) = shared_app().await;
    let path = format!("/api/logger{}", hour_of(&app));
    assert_eq!(gateway.get(&path, Some(&app.api_key)).await.status(), 200);
}

#[tokio::test]
async fn series_aggregates_and_span_can_be_selected() {
    let (gateway, app) = shared_app().await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    let stamp = now_ms() - 10 * 60_000;
    let metrics = json!({"cpu": {"usage": 5, "user": 3}, "memory": {"used": 7}});
    publisher.publish_as("m", report(&app, json!({"metrics": metrics, "timestamp": stamp}))).await;

    let (from, to) = (stamp - 20 * 60_000, stamp + 60_000);
    let choice = format!("from={from}&to={to}&step=60&series=cpu.*&agg=last,sum");
    let path = format!("/apps/{}/metrics?{choice}", app.app_id);
    // A report of ten minutes ago is in history as soon as the stream has delivered it.
    let history = gateway.json_where(&path, &app, |history| history["series"]["cpu.usage"].is_object()).await;
    let series = history["series"].as_object().unwrap_or_else(|| panic!("no series in {history}"));
    assert_eq!(series.keys().collect::<Vec<_>>(), ["cpu.usage", "cpu.user"]);
    let usage = series["cpu.usage"].as_object().expect("columns by aggregate");
    assert_eq!(usage.keys().collect::<Vec<_>>(), ["last", "sum"]);
    let values: Vec<f64> = usage["last"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert_eq!(values, [5.0]);
}

#[tokio::test]
async fn history_is_csv_on_request() {
    let (gateway, app) = shared_app().await;
    Client::authenticated(gateway, &app).await.publish(&app, 4).await;
    let request = gateway.http(reqwest::Method::GET, &hour_of(&app)).bearer_auth(&app.api_key);
    let response = request.header("Accept", "text/csv").send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("text/csv"), "{kind}");
    let text = response.text().await.unwrap();
    let header = text.lines().next().unwrap_or_default();
    assert!(header.starts_with("time,") && header.contains("n.avg"), "{header}");
    assert_eq!(text.lines().count(), 1 + HOUR_POINTS, "a header and a line for each point");
}

#[tokio::test]
async fn cors_allows_only_configured_origins() {
    let (gateway, app) = shared_app().await;
    let wrong = "nonsense".to_owned();
    for (origin, key, admitted) in [
        (DASHBOARD, &app.api_key, Some(DASHBOARD)),
        (DASHBOARD, &wrong, Some(DASHBOARD)),
        (FOREIGN_ORIGIN, &app.api_key, None),
    ] {
        let request = gateway.http(reqwest::Method::GET, &hour_of(&app)).bearer_auth(key);
        let response = request.header("Origin", origin).send().await.expect("an answer");
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("access-control-allow-origin"), admitted, "{origin}, {}", response.status());
        let credentials = admitted.map(|_| "true");
        assert_eq!(header("access-control-allow-credentials"), credentials, "{origin}");
    }
}

#[tokio::test]
async fn cors_preflight_is_answered() {
    let gateway = Gateway::shared();
    let request = gateway.http(reqwest::Method::OPTIONS, "/apps/any/metrics");
    let request = request.header("Origin", DASHBOARD);
    let request = request.header("Access-Control-Request-Method", "GET");
    let request = request.header("Access-Control-Request-Headers", "authorization");
    let response = request.send().await.expect("an answer");
    assert!(response.status().is_success(), "{}", response.status());
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], DASHBOARD);
    let allowed = headers["access-control-allow-headers"].to_str().unwrap().to_lowercase();
    assert!(allowed.contains("authorization"), "{allowed}");
}

#[tokio::test]
async fn each_span_has_the_points_that_the_dashboard_draws() {
    let (gateway, app) = shared_app().await;
    Client::authenticated(gateway, &app).await.publish(&app, 1).await;
    for (span, points, step) in [("hour", 60, 60), ("day", 144, 600), ("week", 168, 3600)] {
        let path = format!("/apps/{}/metrics?timeRange={span}", app.app_id);
        let history = gateway.json(&path, &app).await;
        let timestamps: Vec<i64> = serde_json::from_value(history["timestamps"].clone()).expect("seconds");
        assert_eq!((timestamps.len(), &history["step"]), (points, &json!(step)), "{span}");
        assert!(timestamps.iter().all(|second| second % step == 0), "{span} is not aligned");
        let last = timestamps.last().expect("a last point") * 1000;
        assert!((last..last + step * 1000).contains(&now_ms()), "the last point of {span} is not running");
        assert_eq!(counted(&history, "n"), 1, "{span}");
    }
}
