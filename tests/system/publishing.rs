//! Acknowledgements, batches and rejected reports.

use serde_json::{Value, json};

use crate::system::harness::{
    App, Client, app_viewer_and_publisher, iso, now_ms, recorded_documents, report, shared_app,
};

fn numbered(app: &App, n: u64) -> Value {
    report(app, json!({"metrics": {"n": n}}))
}

#[tokio::test]
async fn only_reports_with_an_id_are_acknowledged() {
    let (app, mut viewer, mut publisher) = app_viewer_and_publisher().await;
    publisher.send(&json!({"type": "metrics", "data": numbered(&app, 1)})).await;
    viewer.next_report(1).await;
    let ack = publisher.publish(&app, 2).await;
    assert_eq!(ack, json!({"id": "report-2", "accepted": 1, "rejected": []}));
    publisher.round_trip().await;
    assert_eq!(publisher.remaining("ack") + publisher.remaining("error"), 0);
}

#[tokio::test]
async fn batch_of_100_is_accepted_101_rejected() {
    let (app, mut viewer, mut publisher) = app_viewer_and_publisher().await;
    let batch = |reports: u64| (0..reports).map(|n| numbered(&app, n)).collect::<Vec<_>>();

    let frame = json!({"type": "metrics", "id": "101", "data": batch(101)});
    let rejection = publisher.rejection(&frame).await;
    assert_eq!((&rejection["code"], &rejection["id"]), (&json!("too_large"), &json!("101")));

    let ack = publisher.publish_as("100", json!(batch(100))).await;
    assert_eq!(ack, json!({"id": "100", "accepted": 100, "rejected": []}));
    for n in 0..100 {
        viewer.next_report(n).await;
    }
    assert_eq!(viewer.remaining("metrics"), 0, "a rejected batch was delivered");
}

#[tokio::test]
async fn invalid_report_in_a_batch_rejects_no_other() {
    let (app, mut viewer, mut publisher) = app_viewer_and_publisher().await;
    let no_metrics = json!({"appId": app.app_id});
    let ancient = json!({"appId": app.app_id, "metrics": {"n": 3}, "timestamp": "1970-01-01T00:00:00Z"});
    let data = json!([numbered(&app, 0), no_metrics, numbered(&app, 2), ancient, numbered(&app, 4)]);
    let ack = publisher.publish_as("mixed", data).await;
    assert_eq!(ack["accepted"], 3);
    let rejected = ack["rejected"].as_array().expect("a list");
    let errors: Vec<_> = rejected.iter().map(|one| (&one["index"], &one["code"], &one["field"])).collect();
    assert_eq!(
        errors,
        [
            (&json!(1), &json!("missing_field"), &json!("metrics")),
            (&json!(3), &json!("timestamp_out_of_range"), &json!("timestamp")),
        ]
    );
    assert!(rejected.iter().all(|one| one["message"].as_str().is_some_and(|text| !text.is_empty())));
    for n in [0, 2, 4] {
        viewer.next_report(n).await;
    }
}

#[tokio::test]
async fn a_report_keeps_every_part_of_its_document() {
    let (app, mut viewer, mut publisher) = app_viewer_and_publisher().await;
    let windows = recorded_documents().last().expect("a Windows host was recorded").clone();
    let odd = json!({"n": 1, "名": "\u{1F980} \"\\\n", "nul": null, "yes": true, "big": 9007199254740993_u64,
        "small": 5e-324, "NaN": "NaN", "list": [1, [2, {"three": 3}]], "": 0, "a.b": 1});
    for (id, metrics) in [("windows", windows), ("odd", odd)] {
        let ack = publisher.publish_as(id, report(&app, json!({ "metrics": metrics }))).await;
        assert_eq!(ack["accepted"], 1);
        let shown = viewer.next("metrics").await["payload"]["metrics"].take();
        assert_eq!(shown, metrics);
    }
}

#[tokio::test]
async fn a_timestamp_may_be_text_or_a_number_or_absent() {
    let (app, mut viewer, mut publisher) = app_viewer_and_publisher().await;
    let stamp = now_ms() - 1000;
    let text = iso(stamp);
    for (n, timestamp) in [(1, json!(stamp)), (2, json!(text)), (3, json!(text.replace('Z', "+00:00")))] {
        let data = report(&app, json!({"metrics": {"n": n}, "timestamp": timestamp}));
        publisher.publish_as("stamped", data).await;
        assert_eq!(viewer.next_report(n).await["timestamp"], json!(text), "{timestamp}");
    }
    let before = now_ms();
    publisher.publish(&app, 4).await;
    let arrival = viewer.next_report(4).await["timestamp"].as_str().expect("a text").to_owned();
    assert!((iso(before)..=iso(now_ms())).contains(&arrival), "{arrival}");
}

#[tokio::test]
async fn reports_are_accepted_two_days_late_five_minutes_early() {
    const MINUTE_MS: i64 = 60_000;
    const TWO_DAYS_MS: i64 = 48 * 60 * MINUTE_MS;
    let (gateway, app) = shared_app().await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    for (offset, accepted) in
        [(MINUTE_MS - TWO_DAYS_MS, 1), (-MINUTE_MS - TWO_DAYS_MS, 0), (4 * MINUTE_MS, 1), (6 * MINUTE_MS, 0)]
    {
        let data = report(&app, json!({"metrics": {}, "timestamp": now_ms() + offset}));
        let ack = publisher.publish_as("stamped", data).await;
        assert_eq!(ack["accepted"], accepted, "{offset} ms off: {ack}");
        assert!(accepted == 1 || ack["rejected"][0]["code"] == "timestamp_out_of_range", "{ack}");
    }
}
