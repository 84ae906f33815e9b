//! An application's limits: connections, and reports as the rollups count them.

use std::time::Duration;

use serde_json::json;

use crate::system::harness::{
    App, Client, DEADLINE, Gateway, auth_frame, metrics_frame, now_ms, nsl, report, scratch_folder,
};

/// Most reports in a minute with a limit of one a second: a full bucket of 100 and 60 more.
const ALLOWED_IN_A_MINUTE: i64 = 160;
/// From the end of a minute with too many reports to the end of the rejection, without the time for the excess.
const REFUSED_MS: i64 = 180_000;
/// How long the application of this test is rejected: enough to start a gateway.
const LEFT_SECONDS: i64 = 60;
const MINUTE_MS: i64 = 60_000;

#[tokio::test]
async fn full_app_rejects_connections_until_one_closes() {
    let gateway = Gateway::shared();
    let app = App::create_with(gateway, &["--max-connections", "2", "--scope", "publish"]).await;
    let key = [("x-api-key", app.api_key.as_str())];
    let first = Client::open_with(gateway, &key).await.expect("room for a first");
    let mut second = Client::authenticated(gateway, &app).await;
    let rejected = Client::open_with(gateway, &key).await.err().map(|error| error.to_string());
    assert!(rejected.as_ref().is_some_and(|rejected| rejected.contains("429")), "{rejected:?}");
    let mut third = Client::open(gateway).await;
    let rejection = third.rejection(&auth_frame(&app)).await;
    assert_eq!((&rejection["code"], &rejection["retryable"]), (&json!("rate_limited"), &json!(true)));
    assert_eq!(second.publish(&app, 1).await["accepted"], 1, "open connections keep working");

    drop(first);
    loop {
        third.send(&auth_frame(&app)).await;
        let answer = third.reply_within(&["auth_success", "error"], DEADLINE).await.expect("an answer");
        if answer["type"] == "auth_success" {
            break;
        }
        assert_eq!(answer["payload"]["code"], "rate_limited");
    }
    assert_eq!(third.publish(&app, 2).await["accepted"], 1);
}

#[tokio::test]
async fn app_over_its_limit_is_rejected_for_a_while() {
    let folder = scratch_folder("limits");
    let data = folder.to_str().expect("a path of text");
    // The limit is set before the stream delivers the reports.
    let arguments = ["--no-demo", "--data", data, "--stream-window", "15"];
    let gateway = Gateway::start(&arguments).await;
    let app = App::create(&gateway).await;
    let mut publisher = Client::authenticated(&gateway, &app).await;
    let now = now_ms();
    let minute_end = now - now % MINUTE_MS - REFUSED_MS;
    let excess = (now % MINUTE_MS) / 1_000 + LEFT_SECONDS;
    let stamps: Vec<i64> = (0..ALLOWED_IN_A_MINUTE + excess).map(|n| minute_end - 1 - n * 100).collect();
    for stamps in stamps.chunks(100) {
        let stamped = |stamp| report(&app, json!({"timestamp": stamp, "metrics": {"n": 1}}));
        let ack = publisher.publish_as("batch", stamps.iter().map(stamped).collect()).await;
        assert_eq!(ack["accepted"], stamps.len());
    }
    nsl(&gateway, &["app", "update", &app.app_id, "--max-reports", "1"]).await;
    let until = loop {
        let shown = nsl(&gateway, &["app", "show", &app.app_id]).await;
        if let Some(until) = shown["limitedUntil"].as_str() {
            break until.parse::<jiff::Timestamp>().expect("an instant").as_millisecond();
        }
        assert!(now_ms() < now + LEFT_SECONDS * 1_000, "never limited: {shown}");
    };
    assert_eq!(until, minute_end + REFUSED_MS + excess * 1_000);
    drop(publisher);
    assert!(gateway.interrupt().await.success());

    // No instance of this gateway has the app cached.
    let gateway = Gateway::start(&arguments).await;
    let mut publisher = Client::authenticated(&gateway, &app).await;
    let rejection = publisher.rejection(&metrics_frame(&app, "early", json!({"n": 2}))).await;
    assert_eq!((&rejection["code"], &rejection["retryable"]), (&json!("rate_limited"), &json!(true)));
    let wait_ms = rejection["retryAfterMs"].as_u64().expect("a hint");
    assert!((1..=LEFT_SECONDS.unsigned_abs() * 1_000).contains(&wait_ms), "{rejection}");
    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    assert_eq!(publisher.publish(&app, 3).await["accepted"], 1, "accepted after the hint");
    assert!(gateway.interrupt().await.success());
}
