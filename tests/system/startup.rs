//! What one command starts: the addresses in the ready file, the demo application and its agent.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::system::harness::{App, Client, Gateway, metrics_frame, nsl};

/// The close code of a connection that was idle or open for too long.
const GOING_AWAY: u16 = 1001;

#[tokio::test]
async fn ready_file_has_every_address() {
    let ready = Gateway::shared().ready();
    assert!(
        ready.ws.starts_with("ws://") && ready.http.starts_with("http://"),
        "{} {}",
        ready.ws,
        ready.http
    );
    assert!(ready.dynamodb.starts_with("http://") && ready.management.starts_with("http://"));
    assert!(!ready.region.is_empty());
    for table in ["AppsTable", "ConnectionsTable", "ReportsTable"] {
        assert!(ready.outputs.get(table).is_some_and(|name| !name.is_empty()), "{table} is missing");
    }
}

#[tokio::test]
async fn startup_logs_no_warning() {
    let gateway = Gateway::start(&["--memory", "--no-demo"]).await;
    let log = fs::read_to_string(gateway.folder().join("gateway.log")).expect("the gateway's log is there");
    assert!(log.contains("functions of"), "{log}");
    let warning = log.lines().find(|line| line.contains("WARN") || line.contains("ERROR"));
    assert_eq!(warning, None);
}

#[tokio::test]
async fn printed_link_can_only_view() {
    let gateway = Gateway::start(&["--memory", "--no-demo"]).await;
    let app = gateway.ready().app.clone().expect("the ready file has the demo application");
    let printed =
        fs::read_to_string(gateway.folder().join("gateway.log")).expect("the gateway's log is there");
    assert!(!printed.contains(&app.api_key), "{printed}");
    let link = printed.split("#key=").nth(1).and_then(|rest| rest.split('&').next());
    let viewer = App { api_key: link.expect("a link with a key").to_owned(), ..app };
    gateway.json("/apps/demo/metrics?timeRange=hour", &viewer).await;
    let mut client = Client::authenticated(&gateway, &viewer).await;
    let rejected = client.rejection(&metrics_frame(&viewer, "any", json!({"n": 1}))).await;
    assert_eq!(rejected["code"], "forbidden", "{rejected}");
}

#[tokio::test]
async fn the_demo_shows_this_machine_every_second() {
    let gateway = Gateway::start(&["--memory"]).await;
    let app = gateway.ready().app.clone().expect("the ready file has the demo application");
    let mut viewer = Client::viewer(&gateway, &app).await;
    let first = viewer.next("metrics").await["payload"].take();
    let second = viewer.next("metrics").await["payload"].take();
    let metrics = &first["metrics"];
    let positive = |pointer: &str| metrics.pointer(pointer).and_then(Value::as_f64).is_some_and(|n| n > 0.0);
    assert!(metrics.pointer("/cpu/usage").is_some_and(Value::is_number), "{metrics}");
    for pointer in ["/cpu/cores", "/memory/total", "/memory/used", "/process/memoryUsage/rss"] {
        assert!(positive(pointer), "{pointer} in {metrics}");
    }
    assert!(metrics["network"]["interfaces"].is_object(), "{metrics}");
    let stamp = |report: &Value| {
        report["timestamp"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect("a stamp")
    };
    let apart = stamp(&second).as_millisecond() - stamp(&first).as_millisecond();
    assert!((500..3_000).contains(&apart), "two reports are {apart} ms apart");
}

#[tokio::test]
async fn idle_and_overlong_connections_are_closed() {
    let gateway =
        Gateway::start(&["--memory", "--no-demo", "--idle-timeout", "2", "--max-duration", "6"]).await;
    let mut silent = Client::open(&gateway).await;
    let mut talking = Client::open(&gateway).await;
    let began = Instant::now();
    let silence = tokio::spawn(async move { (silent.close_code().await, began.elapsed()) });
    while talking.is_open() {
        talking.try_round_trip().await;
        // A connection that sends without a pause is closed for flooding.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (code, silent_for) = silence.await.expect("the silent connection is closed");
    let (lived, talked_code) = (began.elapsed(), talking.close_code().await);
    assert_eq!((code, talked_code), (GOING_AWAY, GOING_AWAY));
    assert!(silent_for < lived, "silence was closed after {silent_for:?}, talk after {lived:?}");
}

#[tokio::test]
async fn nsl_status_shows_tables_and_rollup_delay() {
    let status = nsl(Gateway::shared(), &["status"]).await;
    let tables = status["tables"].as_array().expect("tables");
    assert_eq!(tables.len(), 5, "{status}");
    assert!(tables.iter().all(|table| table["status"] == "ACTIVE"), "{status}");
    assert!(status.get("rollupsBehindMs").is_some(), "{status}");
}
