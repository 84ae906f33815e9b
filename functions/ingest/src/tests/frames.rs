//! What becomes of a frame: what is stored, who is told what.

use nsl_aws::counters::Counter;
use nsl_domain::rejection::Code;
use nsl_test_support::Behaviour;
use serde_json::Value;

use super::*;

/// The one frame that was posted to the publisher since the last look.
fn answered(world: &World) -> Value {
    let frames = world.env.frames(PUBLISHER);
    assert_eq!(frames.len(), 1, "{frames:?}");
    world.env.take_calls();
    frames.into_iter().next().unwrap()
}

/// The code of the one error that was posted to the publisher.
fn refused(world: &World) -> String {
    let frame = answered(world);
    assert_eq!(frame["type"], "error", "{frame}");
    frame["payload"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_report_reaches_the_subscribers_of_its_app_and_nobody_else() {
    let world = World::start().await;
    world.env.register(&app("bank", Status::Active)).await;
    world.subscribe("shopper=", "shop", 0, Dialect::Modern).await;
    world.subscribe("banker=", "bank", 0, Dialect::Modern).await;
    world.subscribe("both=", "bank", 0, Dialect::Modern).await;
    world.subscribe("both=", "shop", 0, Dialect::Modern).await;
    let ingest = world.warm_instance().await;
    hear(&ingest, &metrics(&report(7)), STRANGER, NOW_MS).await;

    let frames = world.env.frames("shopper=");
    assert_eq!(frames, world.env.frames("both="));
    assert_eq!(frames.len(), 1);
    let payload = &frames[0]["payload"];
    assert_eq!(frames[0]["type"], "metrics");
    assert_eq!(payload["metrics"], json!({"cpu": {"usage": 61.4}}));
    assert_eq!(payload["timestamp"], "2026-11-22T13:01:01.394Z");
    assert_eq!(payload["appId"], "shop");
    assert_eq!(payload["source"], "UIcZQdQsoAMCLTw");
    let rows = world.env.rows("ReportsTable").await;
    assert!(rows.iter().any(|row| row["sk"]["S"] == payload["id"]), "{rows:?}");
    assert!(world.env.frames("banker=").is_empty());
    assert!(world.env.frames(PUBLISHER).is_empty());
}

#[tokio::test]
async fn a_stored_report_has_its_place_and_its_end() {
    let world = World::start().await;
    world.warm_instance().await;
    let rows = world.env.rows("ReportsTable").await;
    // Shown for 48 hours, and there a day longer for the rollup of its minute.
    let end = NOW_MS / 1000 + (48 + 24) * 3600;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["pk"]["S"], "shop#2026-11-22T13#0");
    assert!(rows[0]["sk"]["S"].as_str().unwrap().starts_with("001795352461387#UIcZQdQsoAMCLTw#"));
    assert_eq!(rows[0]["document"]["S"], r#"{"cpu":{"usage":61.4}}"#);
    assert_eq!(rows[0]["expiresAt"]["N"], end.to_string());
}

#[tokio::test]
async fn the_same_report_sent_again_is_stored_once() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    for _ in 0..2 {
        hear(&ingest, &metrics_with_id(&report(0)), STRANGER, NOW_MS).await;
        assert_eq!(answered(&world)["payload"], json!({"id": "f1", "accepted": 1, "rejected": []}));
    }
    assert_eq!(world.stored().await, 1);
}

#[tokio::test]
async fn one_bad_report_of_a_batch_loses_no_other() {
    let world = World::start().await;
    world.subscribers(1).await;
    let ingest = world.warm_instance().await;
    let batch =
        json!([report(1), {"appId": "shop"}, report(2), {"appId": "shop", "metrics": {}, "timestamp": 0}]);
    hear(&ingest, &metrics_with_id(&batch), STRANGER, NOW_MS).await;
    assert_eq!(world.stored().await, 3);
    assert_eq!(world.env.frames("viewer-0=").len(), 2);
    let payload = answered(&world)["payload"].clone();
    assert_eq!(payload["accepted"], 2);
    let rejected: Vec<_> = payload["rejected"].as_array().unwrap().iter().collect();
    assert_eq!(rejected.len(), 2);
    assert_eq!((&rejected[0]["index"], &rejected[0]["code"]), (&json!(1), &json!("missing_field")));
    assert_eq!((&rejected[1]["index"], &rejected[1]["code"]), (&json!(3), &json!("timestamp_out_of_range")));
    assert_eq!(rejected[1]["retryable"], false);
}

#[tokio::test]
async fn without_an_id_the_first_bad_report_is_named() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    hear(&ingest, &metrics(&json!([report(1), {"appId": "shop"}])), STRANGER, NOW_MS).await;
    let payload = answered(&world)["payload"].clone();
    assert_eq!(payload["code"], "missing_field");
    assert_eq!(payload["field"], "data[1].metrics");
    assert_eq!(payload["retryable"], false);
}

#[tokio::test]
async fn reports_are_taken_under_both_names_of_their_frame() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    let frame = json!({"type": "send_metrics", "data": report(5)}).to_string();
    hear(&ingest, &frame, STRANGER, NOW_MS).await;
    assert_eq!(world.stored().await, 2);
}

#[tokio::test]
async fn a_frame_that_names_a_foreign_app_stores_nothing() {
    let world = World::start().await;
    world.env.register(&app("bank", Status::Active)).await;
    let granted = publishing("shop").to_text();
    for foreign in ["bank", "nowhere"] {
        let mut second = report(1);
        second["appId"] = json!(foreign);
        let batch = json!([report(0), second]);
        hear(&world.instance(), &metrics(&batch), &[("grant", &granted)], NOW_MS).await;
        assert_eq!(refused(&world), "forbidden", "{foreign}");
    }
    assert_eq!(world.stored().await, 0);
}

#[tokio::test]
async fn who_proved_nothing_publishes_nothing() {
    let world = World::start().await;
    let ingest = world.instance();
    for opened in [false, true] {
        if opened {
            world.open(PUBLISHER, None).await;
            world.env.take_calls();
        }
        hear(&ingest, &metrics(&report(0)), STRANGER, NOW_MS).await;
        assert_eq!(refused(&world), "unauthorized");
    }
    hear(&ingest, &metrics(&report(0)), &[("grant", "no grant"), ("role", "program")], NOW_MS).await;
    assert_eq!(refused(&world), "unauthorized");
    assert_eq!(world.stored().await, 0);
}

#[tokio::test]
async fn a_grant_to_view_does_not_publish() {
    let world = World::start().await;
    let granted = grant("shop", Scope::View).to_text();
    hear(&world.instance(), &metrics(&report(0)), &[("grant", &granted)], NOW_MS).await;
    assert_eq!(refused(&world), "forbidden");
    assert_eq!(world.stored().await, 0);
}

#[tokio::test]
async fn an_app_that_is_switched_off_takes_nothing() {
    let world = World::start().await;
    world.env.register(&app("old", Status::Inactive)).await;
    let granted = publishing("old").to_text();
    let mut of_old = report(0);
    of_old["appId"] = json!("old");
    world.env.take_calls();
    hear(&world.instance(), &metrics(&of_old), &[("grant", &granted)], NOW_MS).await;
    assert_eq!(refused(&world), "app_inactive");
}

#[tokio::test]
async fn a_key_that_is_taken_back_closes_the_door_within_a_minute() {
    let world = World::start().await;
    let granted = publishing("shop").to_text();
    let ingest = world.instance();
    hear(&ingest, &metrics(&report(0)), &[("grant", &granted)], NOW_MS).await;
    let key = json!({"Key": {"appId": {"S": "shop"}}});
    world.env.dynamodb.direct("DeleteItem", "AppsTable", key).await;
    let mut shop = app("shop", Status::Active);
    shop.keys = vec![KeyRecord::of("another key", Scope::Both)];
    world.env.register(&shop).await;
    world.env.take_calls();
    hear(&ingest, &metrics(&report(1)), &[("grant", &granted)], NOW_MS + 60_001).await;
    assert_eq!(refused(&world), "unauthorized");
    assert_eq!(world.stored().await, 1);
}

#[tokio::test]
async fn an_app_that_is_switched_off_closes_the_door_within_a_minute() {
    let world = World::start().await;
    let granted = publishing("shop").to_text();
    let ingest = world.instance();
    hear(&ingest, &metrics(&report(0)), &[("grant", &granted)], NOW_MS).await;
    let apps = world.env.apps();
    let on = apps.find(&id("shop")).await.unwrap().unwrap();
    let off = App { status: Status::Inactive, ..on.clone() };
    assert_eq!(apps.save(&on, &off).await.unwrap(), nsl_aws::apps::Saved::Done);
    world.env.take_calls();
    hear(&ingest, &metrics(&report(1)), &[("grant", &granted)], NOW_MS + 60_001).await;
    assert_eq!(refused(&world), "app_inactive");
    assert_eq!(world.stored().await, 1);
}

#[tokio::test]
async fn an_app_that_was_found_to_send_too_much_is_refused_until_it_may_again() {
    let world = World::start().await;
    let granted = publishing("shop").to_text();
    let ingest = world.instance();
    hear(&ingest, &metrics(&report(0)), &[("grant", &granted)], NOW_MS).await;
    let apps = world.env.apps();
    let until = TimestampMs::clamped(NOW_MS + 180_000);
    assert_eq!(apps.limit(&id("shop"), until).await.unwrap(), nsl_aws::apps::Limited::Done);
    world.env.take_calls();
    // Within the minute it is believed to be free.
    hear(&ingest, &metrics(&report(1)), &[("grant", &granted)], NOW_MS + 60_000).await;
    assert_eq!(world.stored().await, 2);
    world.env.take_calls();
    hear(&ingest, &metrics(&report(2)), &[("grant", &granted)], NOW_MS + 60_001).await;
    let payload = world.env.frames(PUBLISHER)[0]["payload"].clone();
    assert_eq!(payload["code"], "rate_limited");
    assert_eq!((&payload["retryable"], &payload["retryAfterMs"]), (&json!(true), &json!(119_999)));
    assert_eq!(world.stored().await, 2);
    hear(&ingest, &metrics(&report(3)), &[("grant", &granted)], NOW_MS + 180_000).await;
    assert_eq!(world.stored().await, 3);
}

#[tokio::test]
async fn a_legacy_publisher_over_its_limit_hears_nothing() {
    let world = World::start().await;
    let mut legacy = publishing("shop");
    legacy.proof = Proof::Legacy;
    world.open(PUBLISHER, Some(&legacy)).await;
    let apps = world.env.apps();
    apps.limit(&id("shop"), TimestampMs::clamped(NOW_MS + 60_000)).await.unwrap();
    world.env.take_calls();
    let ingest = world.instance();
    hear(&ingest, &metrics(&report(0)), STRANGER, NOW_MS).await;
    assert!(world.env.frames(PUBLISHER).is_empty());
    assert_eq!(world.stored().await, 0);
    assert_eq!(ingest.counters.total(Counter::rejections(Code::RateLimited)), 1);
}

#[tokio::test]
async fn who_sends_what_is_refused_for_ever_is_told_a_hundred_times_and_counted() {
    let world = World::start().await;
    let granted = publishing("bank").to_text();
    let ingest = world.instance();
    for _ in 0..150 {
        hear(&ingest, &metrics(&report(0)), &[("grant", &granted)], NOW_MS).await;
    }
    assert_eq!(world.env.frames(PUBLISHER).len(), 100);
    assert_eq!(ingest.counters.total(Counter::rejections(Code::Forbidden)), 150);
    assert_eq!(ingest.counters.total(Counter::AbsorbedFrames), 50);
    hear(&ingest, &metrics(&report(0)), &[("grant", &granted)], NOW_MS + 1_000).await;
    assert_eq!(world.env.frames(PUBLISHER).len(), 101);
}

#[tokio::test]
async fn raw_reports_are_kept_as_long_as_their_app_says() {
    let world = World::start().await;
    let mut archive = app("archive", Status::Active);
    archive.retention.raw = Some(100);
    world.env.register(&archive).await;
    let ingest = world.instance();
    for name in ["shop", "archive"] {
        let granted = publishing(name).to_text();
        let report = json!({"appId": name, "timestamp": NOW_MS, "metrics": {"a": 1}});
        hear(&ingest, &metrics(&report), &[("grant", &granted)], NOW_MS).await;
    }
    let rows = world.env.rows("ReportsTable").await;
    for (name, hours) in [("shop", 48), ("archive", 100)] {
        let row = rows.iter().find(|row| row["appId"]["S"] == name).unwrap();
        // A day of grace beyond what is shown.
        let expires_at = NOW_MS / 1_000 + (hours + 24) * 3_600;
        assert_eq!(row["expiresAt"]["N"], expires_at.to_string(), "{name}");
    }
}

#[tokio::test]
async fn a_runaway_is_refused_and_nothing_of_its_frame_is_stored() {
    let world = World::start().await;
    let granted = publishing("shop").to_text();
    let ingest = world.instance();
    let empty = json!({"type": "metrics", "data": vec![json!({"appId": "shop"}); 100]}).to_string();
    for _ in 0..50 {
        hear(&ingest, &empty, &[("grant", &granted)], NOW_MS).await;
    }
    world.env.take_calls();
    hear(&ingest, &metrics(&report(1)), &[("grant", &granted)], NOW_MS).await;
    assert_eq!(refused(&world), "rate_limited");
    assert_eq!(world.stored().await, 0);
    hear(&ingest, &metrics(&report(1)), &[("grant", &granted)], NOW_MS + 2).await;
    assert_eq!(world.stored().await, 1);
}

#[tokio::test]
async fn a_legacy_viewer_reads_the_document_flat() {
    let world = World::start().await;
    world.subscribe("dashboard=", "shop", 0, Dialect::Legacy).await;
    world.subscribe("modern=", "shop", 0, Dialect::Modern).await;
    let ingest = world.warm_instance().await;
    hear(&ingest, &metrics(&report(1)), STRANGER, NOW_MS).await;
    let payload = world.env.frames("dashboard=").remove(0)["payload"].take();
    assert_eq!(payload["cpu"]["usage"], 61.4);
    assert_eq!(payload["metrics"]["cpu"]["usage"], 61.4);
    assert_eq!(world.env.frames("modern=")[0]["payload"].get("cpu"), None);
}

#[tokio::test]
async fn a_paced_viewer_gets_frames_no_closer_than_it_asked() {
    let world = World::start().await;
    world.subscribe("paced=", "shop", 1_000, Dialect::Modern).await;
    world.subscribe("eager=", "shop", 0, Dialect::Modern).await;
    let ingest = world.instance();
    world.open(PUBLISHER, Some(&publishing("shop"))).await;
    world.env.take_calls();
    for offset_ms in [0, 500, 999, 1_000, 1_999, 2_000] {
        hear(&ingest, &metrics(&report(offset_ms)), STRANGER, NOW_MS + offset_ms).await;
    }
    assert_eq!(world.env.frames("eager=").len(), 6);
    let stamps: Vec<_> =
        world.env.frames("paced=").iter().map(|f| f["payload"]["timestamp"].clone()).collect();
    assert_eq!(stamps, ["2026-11-22T13:01:01.387Z", "2026-11-22T13:01:02.387Z", "2026-11-22T13:01:03.387Z"]);
}

#[tokio::test]
async fn a_gone_subscriber_is_forgotten_and_the_others_are_served() {
    let world = World::start().await;
    world.subscribers(3).await;
    let ingest = world.warm_instance().await;
    world.env.connections.set_behaviour("viewer-1=", Behaviour::Gone);
    hear(&ingest, &metrics(&json!([report(1), report(2)])), STRANGER, NOW_MS).await;
    assert_eq!(world.env.frames("viewer-0=").len(), 2);
    assert_eq!(world.env.frames("viewer-1=").len(), 1);
    assert_eq!(world.env.frames("viewer-2=").len(), 2);
    let rows = world.env.rows("ConnectionsTable").await;
    let watching = |viewer: &str| rows.iter().any(|row| row["sk"]["S"] == format!("s#{viewer}"));
    assert!(watching("viewer-0=") && !watching("viewer-1=") && watching("viewer-2="));
}

#[tokio::test]
async fn bad_frames_are_answered_by_their_code() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    let with = |field: &str, value: Value| {
        let mut report = report(0);
        report[field] = value;
        metrics(&report)
    };
    let deep = (0..40).fold(json!(1), |inner, _| json!({ "a": inner }));
    let wide: serde_json::Map<_, _> = (0..600).map(|index| (format!("s{index}"), json!(1))).collect();
    for (frame, code) in [
        ("no json".to_owned(), "invalid_json"),
        (r#"{"type":"metrics","data":{"appId":"shop","metrics":{"a":1e999}}}"#.to_owned(), "invalid_field"),
        (json!({"type": "metrics"}).to_string(), "missing_field"),
        (with("metrics", Value::Null), "missing_field"),
        (with("metrics", json!([1])), "invalid_field"),
        (with("metrics", deep), "too_deep"),
        (with("metrics", wide.into()), "too_many_series"),
        (with("metrics", json!({"text": "x".repeat(15 * 1024)})), "too_large"),
        (with("timestamp", json!("1970-01-01T00:00:00Z")), "timestamp_out_of_range"),
        (with("timestamp", json!("2999-01-01T00:00:00Z")), "timestamp_out_of_range"),
        (with("timestamp", json!("NaN")), "invalid_field"),
        (with("source", json!("a#b")), "invalid_field"),
        (with("appId", json!("a#b")), "invalid_field"),
        (with("appId", json!("nowhere")), "forbidden"),
        (metrics(&vec![report(0); 101].into()), "too_large"),
    ] {
        hear(&ingest, &frame, STRANGER, NOW_MS).await;
        assert_eq!(refused(&world), code, "{:.200}", frame);
    }
    assert_eq!(world.stored().await, 1);
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let world = World::start().await;
    world.env.register(&app("bank", Status::Active)).await;
    let ingest = world.warm_instance().await;
    let mut of_bank = report(1);
    of_bank["appId"] = json!("bank");
    hear(&ingest, &metrics(&of_bank), STRANGER, NOW_MS).await;
    assert_eq!(refused(&world), "forbidden");
    world.open(PUBLISHER, Some(&publishing("bank"))).await;
    world.env.take_calls();
    hear(&ingest, &metrics(&of_bank), STRANGER, NOW_MS).await;
    assert!(world.env.frames(PUBLISHER).is_empty(), "proved for another app, by another auth");

    let key = json!({"Key": {"appId": {"S": "shop"}}});
    world.env.dynamodb.direct("DeleteItem", "AppsTable", key).await;
    let mut shop = app("shop", Status::Active);
    shop.keys = vec![KeyRecord::of("the next key", Scope::Both)];
    world.env.register(&shop).await;
    world.env.take_calls();
    let mut by_next_key = publishing("shop");
    by_next_key.proof = Proof::Key(KeyRecord::of("the next key", Scope::Both).id);
    hear(&ingest, &metrics(&report(2)), &[("grant", &by_next_key.to_text())], NOW_MS).await;
    assert!(world.env.frames(PUBLISHER).is_empty(), "a key that was added is taken at once");
    assert_eq!(world.stored().await, 3);
}

#[tokio::test]
async fn no_answer_is_longer_than_a_frame_whatever_it_has_to_name() {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    for letter in ["x", "\\u0001", "\\\"", "é", "\\\\"] {
        let name = letter.repeat(6_000 / letter.len());
        let of = |count: usize, name: &str| {
            let report = format!(r#"{{"appId":"shop","metrics":{{"{name}":1e999}}}}"#);
            vec![report; count].join(",")
        };
        for data in [of(1, &name.repeat(2)), format!("[{}]", of(4, &name))] {
            for id in ["", r#""id":"f1","#] {
                let frame = format!(r#"{{"type":"metrics",{id}"data":{data}}}"#);
                hear(&ingest, &frame, STRANGER, NOW_MS).await;
                let answer = answered(&world).to_string();
                assert!(answer.len() <= 30 * 1024, "{letter}: {} bytes: {answer:.300}", answer.len());
            }
        }
    }
}
