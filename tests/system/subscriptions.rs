//! What a subscriber gets: recent reports first, then each accepted one until it unsubscribes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::system::harness::{App, Client, Gateway, auth_frame, iso, now_ms, report, shared_app};

fn ids(reports: &Value) -> Vec<String> {
    let reports = reports["reports"].as_array().expect("a list of reports");
    reports.iter().map(|report| report["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn subscriber_gets_recent_reports_at_once() {
    let (gateway, app) = shared_app().await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    publisher.publish(&app, 1).await;
    publisher.publish(&app, 2).await;

    let mut viewer = Client::authenticated(gateway, &app).await;
    let subscribed = viewer.subscribe(&app).await;
    assert_eq!(subscribed["appId"], json!(app.app_id));
    assert_eq!(subscribed["complete"], true);
    let shown = subscribed["reports"].as_array().expect("a list of reports");
    let numbers: BTreeSet<_> = shown.iter().map(|report| report["metrics"]["n"].as_u64()).collect();
    assert_eq!(numbers, BTreeSet::from([Some(1), Some(2)]));
    for field in ["metrics", "timestamp", "appId", "source", "id"] {
        assert!(shown.iter().all(|report| !report[field].is_null()), "{field} is missing in {subscribed}");
    }
}

#[tokio::test]
async fn returning_subscriber_gets_missed_reports() {
    let (gateway, app) = shared_app().await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    let now = now_ms();
    for (n, age_ms) in [(1, 300_000), (2, 104_000), (3, 50_000), (4, 0)] {
        let data = report(&app, json!({"metrics": {"n": n}, "timestamp": now - age_ms}));
        assert_eq!(publisher.publish_as("aged", data).await["accepted"], 1);
    }
    for since in [json!(iso(now - 100_000)), json!(now - 100_000)] {
        let mut viewer = Client::authenticated(gateway, &app).await;
        viewer.send(&json!({"type": "subscribe", "data": {"appId": app.app_id, "since": since}})).await;
        let payload = viewer.next("subscribed").await["payload"].take();
        let shown: Vec<_> =
            payload["reports"].as_array().unwrap().iter().map(|one| &one["metrics"]["n"]).collect();
        assert_eq!(shown, [&json!(2), &json!(3), &json!(4)], "since 100 s, from 5 s earlier: {since}");
        assert_eq!(payload["complete"], true);
    }
    let long_ago = now - 24 * 3_600_000;
    let mut viewer = Client::authenticated(gateway, &app).await;
    viewer.send(&json!({"type": "subscribe", "data": {"appId": app.app_id, "since": long_ago}})).await;
    assert_eq!(viewer.next("subscribed").await["payload"]["complete"], false, "a day is no replay");
}

#[tokio::test]
async fn long_replay_is_split_into_small_frames() {
    let (gateway, app) = shared_app().await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    let filler = "x".repeat(1400);
    for batch in 0..5 {
        let filled = |n| report(&app, json!({"metrics": {"n": batch * 20 + n, "text": filler}}));
        let ack = publisher.publish_as("batch", (0..20).map(filled).collect()).await;
        assert_eq!(ack["accepted"], 20, "{ack}");
    }
    // The client asserts of every frame that it has at most 30 KB.
    let mut viewer = Client::authenticated(gateway, &app).await;
    let subscribed = viewer.subscribe(&app).await;
    let mut shown = ids(&subscribed);
    while shown.len() < 100 {
        let replay = viewer.next("replay").await["payload"].take();
        assert_eq!(replay["appId"], json!(app.app_id));
        shown.extend(ids(&replay));
    }
    assert_eq!(shown.iter().collect::<BTreeSet<_>>().len(), 100, "every report is shown once");
}

#[tokio::test]
async fn unsubscribed_viewer_gets_no_more_reports() {
    let gateway = Gateway::shared();
    let (app, other) = (App::create(gateway).await, App::create(gateway).await);
    let mut viewer = Client::viewer(gateway, &app).await;
    let mut observer = Client::viewer(gateway, &app).await;
    viewer.send(&json!({"type": "unsubscribe", "data": {"appId": app.app_id}})).await;
    assert_eq!(viewer.next("unsubscribed").await["payload"], json!({"appId": app.app_id}));

    Client::authenticated(gateway, &app).await.publish(&app, 1).await;
    observer.next_report(1).await;
    viewer.send(&auth_frame(&other)).await;
    viewer.next("auth_success").await;
    viewer.subscribe(&other).await;
    Client::authenticated(gateway, &other).await.publish(&other, 2).await;
    viewer.next_report(2).await;
    assert_eq!(viewer.remaining("metrics"), 0);
}

#[tokio::test]
async fn subscribing_twice_delivers_once() {
    let (gateway, app) = shared_app().await;
    let mut viewer = Client::viewer(gateway, &app).await;
    let again = json!({"type": "subscribe", "data": {"appId": app.app_id}});
    viewer.send(&again).await;
    let refused = viewer.error().await;
    assert_eq!(refused["code"], "rate_limited", "{refused}");
    assert!(refused["retryAfterMs"].as_u64().is_some_and(|wait_ms| wait_ms <= 10_000), "{refused}");
    let mut publisher = Client::authenticated(gateway, &app).await;
    for n in [1, 2] {
        publisher.publish(&app, n).await;
        viewer.next_report(n).await;
    }
    viewer.round_trip().await;
    assert_eq!(viewer.remaining("metrics"), 0, "a report came twice");
}
