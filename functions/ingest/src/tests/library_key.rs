//! The library's dialect by either proof: ids alone, or a key in its `auth`. Copies are dropped, and no frame is answered
//! with an error, on any instance.

use nsl_aws::counters::Counter;
use nsl_test_support::Failure;

use super::legacy::{frame, legacy_grant};
use super::*;

fn library_with_key() -> Grant {
    Grant { library: true, ..publishing("shop") }
}

fn of_both_proofs() -> [Grant; 2] {
    [legacy_grant("shop"), library_with_key()]
}

fn with_id(frame: &str) -> String {
    let mut frame: Value = serde_json::from_str(frame).unwrap();
    frame["id"] = json!("f1");
    frame.to_string()
}

impl World {
    /// One with a viewer, and a connection of the library by `grant` as [`PUBLISHER`].
    async fn with_library_by(grant: &Grant) -> Self {
        let world = Self::start().await;
        world.open(PUBLISHER, Some(grant)).await;
        world.subscribers(1).await;
        world
    }
}

#[tokio::test]
async fn copies_of_a_library_with_a_key_are_stored_once() {
    for (grant, stored) in [(library_with_key(), 10), (publishing("shop"), 20)] {
        let world = World::with_library_by(&grant).await;
        let instances = [world.instance(), world.instance()];
        for second in 0..10 {
            for (copy, instance) in instances.iter().enumerate() {
                let at_ms = NOW_MS + second * 1_000 + copy as i64 * 9;
                let metrics = json!({"process": {"uptime": 40.25 + second as f64}});
                instance.receive_on(PUBLISHER, &frame(Some(at_ms), &metrics), at_ms).await;
            }
        }
        assert_eq!(world.stored().await, stored);
        assert_eq!(world.env.frames(VIEWER).len(), stored);
        let duplicates = instances.iter().map(|one| one.counters.total(Counter::AbsorbedDuplicates));
        assert_eq!(duplicates.sum::<u64>(), 20 - stored as u64);
        assert!(world.env.frames(PUBLISHER).is_empty());
    }
}

/// Frames that are rejected whatever the app is.
fn bad_frames() -> Vec<String> {
    let good = frame(Some(NOW_MS), &json!({"a": 1}));
    let data = |data: Value| json!({"type": "send_metrics", "data": data}).to_string();
    vec![
        data(json!({})),
        data(json!([])),
        data(json!(7)),
        data(json!({"userId": "ann", "appId": "shop"})),
        data(json!({"userId": "ann", "appId": "shop", "metrics": [1]})),
        data(json!({"userId": "ann", "appId": "a shop", "metrics": {}})),
        data(json!({"userId": "ann", "appId": "bank", "metrics": {}})),
        data(json!({"userId": "ann", "appId": "shop", "metrics": {"text": "x".repeat(20_000)}})),
        good.replace('1', "1e999"),
        r#"{"type":"send_metrics"}"#.to_owned(),
    ]
}

#[tokio::test]
async fn library_is_sent_no_error_whatever_it_sends() {
    for grant in of_both_proofs() {
        let world = World::with_library_by(&grant).await;
        for bad in bad_frames() {
            world.instance().receive_on(PUBLISHER, &bad, NOW_MS).await;
            let frames = world.env.frames(PUBLISHER);
            assert!(frames.is_empty(), "{bad}: {frames:?}");
        }
        assert_eq!(world.stored().await, 0);
    }
}

#[tokio::test]
async fn library_is_sent_no_error_after_its_credential_ends() {
    for grant in of_both_proofs() {
        for ended in [
            App { keys: Vec::new(), legacy: false, ..app("shop", Status::Active) },
            app("shop", Status::Inactive),
        ] {
            let world = World::with_library_by(&grant).await;
            let running = world.instance();
            running.receive_on(PUBLISHER, &frame(Some(NOW_MS), &json!({"a": 1})), NOW_MS).await;
            world.replace_shop(&ended).await;
            // It is notified once.
            for (instance, later_ms, notices) in [(running, 61_000, 1), (world.instance(), 62_000, 0)] {
                let at_ms = NOW_MS + later_ms;
                let report = frame(Some(at_ms), &json!({"a": 2}));
                instance.receive_on(PUBLISHER, &report, at_ms).await;
                assert_eq!(world.types(PUBLISHER), vec!["command"; notices]);
                instance.receive_on(PUBLISHER, &with_id(&report), at_ms).await;
                let acknowledged = world.env.frames(PUBLISHER).pop().unwrap();
                assert_eq!(acknowledged["type"], "ack");
                assert_eq!(acknowledged["payload"]["rejected"][0]["index"], 0);
                world.env.take_calls();
            }
            assert_eq!(world.stored().await, 1);
        }
    }
}

#[tokio::test]
async fn library_is_sent_no_error_over_its_rate_or_in_a_fault() {
    for grant in of_both_proofs() {
        let world = World::with_library_by(&grant).await;
        let ingest = world.instance();
        let report = frame(Some(NOW_MS), &json!({"a": 1}));
        world.env.dynamodb.fail("PutItem", Failure::InternalError, 6);
        ingest.receive_on(PUBLISHER, &report, NOW_MS).await;
        assert!(world.env.frames(PUBLISHER).is_empty());
        ingest.receive_on(PUBLISHER, &with_id(&report), NOW_MS).await;
        assert_eq!(world.env.frames(PUBLISHER)[0]["payload"]["rejected"][0]["code"], "unavailable");
        world.env.dynamodb.clear_failures();
        world.env.apps().limit(&id("shop"), TimestampMs::clamped(NOW_MS + 120_000)).await.unwrap();
        let limited = world.instance();
        world.env.take_calls();
        limited.receive_on(PUBLISHER, &report, NOW_MS).await;
        assert!(world.env.frames(PUBLISHER).is_empty());
        limited.receive_on(PUBLISHER, &with_id(&report), NOW_MS).await;
        let rejected = &world.env.frames(PUBLISHER)[0]["payload"]["rejected"][0];
        assert_eq!((&rejected["code"], &rejected["retryable"]), (&json!("rate_limited"), &json!(true)));
    }
}

#[tokio::test]
async fn batch_that_is_rejected_whole_is_acknowledged_report_by_report() {
    let world = World::with_library_by(&library_with_key()).await;
    world.env.apps().limit(&id("shop"), TimestampMs::clamped(NOW_MS + 60_000)).await.unwrap();
    let reports = json!([report(0), report(1_000), report(2_000)]);
    world.instance().receive_on(PUBLISHER, &metrics_with_id(&reports), NOW_MS).await;
    let rejected = world.env.frames(PUBLISHER).remove(0)["payload"]["rejected"].take();
    let indices: Vec<&Value> = rejected.as_array().unwrap().iter().map(|one| &one["index"]).collect();
    assert_eq!(indices, [0, 1, 2]);
}

#[tokio::test]
async fn batch_with_one_copy_counts_for_the_rate() {
    let world = World::with_library_by(&library_with_key()).await;
    let mut shop = app("shop", Status::Active);
    shop.limits.reports = Some(1);
    world.replace_shop(&shop).await;
    let ingest = world.instance();
    for batch in 0..20 {
        let fresh = (1..10).map(|n| report_at(batch * 10_000 + n * 1_000));
        let reports: Vec<Value> = std::iter::once(report_at(0)).chain(fresh).collect();
        ingest.receive_on(PUBLISHER, &metrics(&json!(reports)), NOW_MS + 200_000).await;
    }
    assert_eq!(world.stored().await, 91, "a burst of a hundred reports, of which nine are copies");
}

/// A report of a document of its own.
fn report_at(offset_ms: i64) -> Value {
    let mut report = report(offset_ms);
    report["metrics"]["n"] = json!(offset_ms);
    report
}
