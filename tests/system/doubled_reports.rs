//! The library's reports as they arrive: each twice at once, possibly from a wrong clock.

use std::collections::BTreeSet;

use serde_json::json;

use crate::system::harness::{
    Client, counted, iso, legacy_frame, library_frames, now_ms, nsl, shared_legacy_app,
};

/// A clock in another time zone.
const WRONG_BY_MS: i64 = 7 * 60 * 60 * 1_000;
/// Largest difference between our clock and a timestamp of arrival, on a slow machine.
const ARRIVAL_SLACK_MS: i64 = 60_000;

#[tokio::test]
async fn doubled_recording_counts_once_live_and_in_history() {
    let (gateway, app) = shared_legacy_app().await;
    let mut library = Client::legacy(gateway, &app, None).await;
    let mut viewer = Client::viewer(gateway, &app).await;
    let frames = library_frames(&app, now_ms());
    let documents: BTreeSet<String> =
        frames.iter().map(|frame| frame["data"]["metrics"].to_string()).collect();
    assert_eq!(frames.len(), 2 * documents.len(), "the recording is doubled");
    // All at once, so that copies reach several instances of the function.
    for frame in &frames {
        library.send(frame).await;
    }
    let mut seen = BTreeSet::new();
    for _ in 0..documents.len() {
        let payload = viewer.next("metrics").await["payload"].take();
        assert!(seen.insert(payload["metrics"].to_string()), "a viewer was shown a copy: {payload}");
        let source = payload["source"].as_str().expect("a source").to_owned();
        assert!(source.starts_with("started-"), "{source} is no process");
    }
    assert_eq!(seen, documents);
    let path = format!("/apps/{}/metrics?timeRange=hour", app.app_id);
    let history = gateway.json_where(&path, &app, |history| counted(history, "cpu.usage") > 0).await;
    assert_eq!(counted(&history, "cpu.usage"), documents.len() as u64);

    let replay = Client::authenticated(gateway, &app).await.subscribe(&app).await;
    assert_eq!(replay["reports"].as_array().map(Vec::len), Some(documents.len()), "{replay}");
    library.round_trip().await;
    viewer.round_trip().await;
    assert_eq!(viewer.remaining("metrics"), 0, "a copy was shown");
    assert_eq!(library.remaining("error") + library.remaining("ack"), 0, "a copy was answered");
}

#[tokio::test]
async fn wrong_clock_is_corrected_and_shown_to_the_operator() {
    let (gateway, app) = shared_legacy_app().await;
    let mut library = Client::legacy(gateway, &app, None).await;
    let mut viewer = Client::viewer(gateway, &app).await;
    let mut frame = legacy_frame("send_metrics", &app);
    frame["data"]["metrics"] = json!({"n": 1, "process": {"uptime": 40.5}});
    frame["data"]["timestamp"] = iso(now_ms() + WRONG_BY_MS).into();
    library.send(&frame).await;
    let payload = viewer.next_report(1).await;
    let stamp: jiff::Timestamp = payload["timestamp"].as_str().unwrap().parse().expect("a stamp");
    assert!((stamp.as_millisecond() - now_ms()).abs() < ARRIVAL_SLACK_MS, "{payload}");
    let shown = nsl(gateway, &["app", "show", &app.app_id]).await;
    let clock = &shown["wrongClocks"][0];
    assert_eq!(clock["source"], payload["source"], "{shown}");
    let ahead_ms = clock["aheadMs"].as_i64().expect("how far");
    assert!((ahead_ms - WRONG_BY_MS).abs() < ARRIVAL_SLACK_MS, "{shown}");
}
