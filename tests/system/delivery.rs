//! A report from the library's frame to the viewers of its application.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::system::harness::{
    App, Client, Gateway, QUIET, app_viewer_and_publisher, library_frames, now_ms, report,
};

/// Largest delay of a live report.
const LIVE: Duration = Duration::from_secs(1);
/// Percentage of reports that must be live; a busy machine may delay the others.
const LIVE_PERCENT: usize = 75;

#[tokio::test]
async fn library_frames_reach_only_their_viewer_within_a_second() {
    let _quiet = QUIET.lock().await;
    let gateway = Gateway::shared();
    let (app, other) = (App::create(gateway).await, App::create(gateway).await);
    let mut viewer = Client::viewer(gateway, &app).await;
    let mut outsider = Client::viewer(gateway, &other).await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    publisher.publish(&app, 0).await;
    viewer.next_report(0).await;

    let (mut ids, mut seen, mut delays) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for frame in library_frames(&app, now_ms()) {
        let (metrics, timestamp) = (frame["data"]["metrics"].clone(), frame["data"]["timestamp"].clone());
        let sent = Instant::now();
        publisher.send(&frame).await;
        // The library sends most of its frames twice; an equal frame is the same report.
        if !seen.insert(format!("{metrics}{timestamp}")) {
            continue;
        }
        let is_this = |live: &serde_json::Value| {
            let payload = &live["payload"];
            live["type"] == "metrics" && payload["metrics"] == metrics && payload["timestamp"] == timestamp
        };
        let payload = viewer.next_where("the report as it was sent", is_this).await["payload"].take();
        delays.push(sent.elapsed());
        assert_eq!(payload["appId"], json!(app.app_id));
        assert!(payload["source"].as_str().is_some_and(|source| !source.is_empty()), "{payload}");
        assert!(ids.insert(payload["id"].as_str().expect("a report has an id").to_owned()), "{payload}");
    }
    assert_eq!(ids.len(), 26, "the recording holds 26 distinct reports");
    delays.sort();
    assert!(delays[delays.len() * LIVE_PERCENT / 100] < LIVE, "reports took {delays:?}");

    Client::authenticated(gateway, &other).await.publish(&other, 1).await;
    outsider.next_report(1).await;
    publisher.round_trip().await;
    assert_eq!(outsider.remaining("metrics"), 0, "a viewer got reports of another application");
    assert_eq!(publisher.remaining("metrics"), 0, "a publisher without a subscription got its reports");
    assert_eq!(publisher.remaining("error"), 0, "a recorded frame was rejected");
}

#[tokio::test]
async fn the_same_report_sent_again_is_the_same_report() {
    let (app, mut viewer, mut publisher) = app_viewer_and_publisher().await;
    let data = report(&app, json!({"metrics": {"n": 7, "cpu": {"usage": 1}}, "timestamp": now_ms()}));
    for id in ["first", "again"] {
        assert_eq!(publisher.publish_as(id, data.clone()).await["accepted"], 1);
    }
    let first = viewer.next_report(7).await["id"].take();
    let replayed = publisher.subscribe(&app).await;
    assert_eq!(replayed["reports"].as_array().map(Vec::len), Some(1), "{replayed}");
    assert_eq!(replayed["reports"][0]["id"], first);
}

#[tokio::test]
async fn two_sources_with_the_same_document_are_two_reports() {
    let (app, mut viewer, mut publisher) = app_viewer_and_publisher().await;
    let stamp = now_ms();
    for source in ["web-1", "web-2"] {
        let data = report(&app, json!({"source": source, "metrics": {"n": 1}, "timestamp": stamp}));
        assert_eq!(publisher.publish_as(source, data).await["accepted"], 1);
    }
    let (one, two) = (viewer.next_report(1).await, viewer.next_report(1).await);
    assert_ne!(one["id"], two["id"]);
    assert_eq!(
        BTreeSet::from([one["source"].as_str(), two["source"].as_str()]),
        BTreeSet::from([Some("web-1"), Some("web-2")])
    );
}
