//! What a frame leads to: stored reports, live frames and replies.

use nsl_aws::counters::Counter;
use nsl_domain::rejection::Code;

use super::*;

/// The one frame that was posted to the publisher since calls were last taken.
fn reply(world: &World) -> Value {
    let frames = world.env.frames(PUBLISHER);
    assert_eq!(frames.len(), 1, "{frames:?}");
    world.env.take_calls();
    frames.into_iter().next().unwrap()
}

/// The code of the one error that was posted to the publisher.
fn error_code(world: &World) -> String {
    let frame = reply(world);
    assert_eq!(frame["type"], "error", "{frame}");
    frame["payload"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn report_reaches_the_subscribers_of_its_app_only() {
    let world = World::start().await;
    world.env.register(&app("bank", Status::Active)).await;
    for (connection, app) in [("shopper=", "shop"), ("banker=", "bank"), ("both=", "bank"), ("both=", "shop")]
    {
        world.subscribe(connection, app, 0, Dialect::Modern).await;
    }
    world.subscribe("page=", "shop", 0, Dialect::Legacy).await;
    let ingest = world.warm_instance().await;
    ingest.receive(&metrics(&report(7))).await;

    let frames = world.env.frames("shopper=");
    assert_eq!(frames, world.env.frames("both="));
    assert_eq!(frames.len(), 1);
    let payload = &frames[0]["payload"];
    assert_eq!(frames[0]["type"], "metrics");
    assert_eq!(payload["metrics"], json!({"cpu": {"usage": 61.4}}));
    assert_eq!(payload.get("cpu"), None);
    let legacy = &world.env.frames("page=")[0]["payload"];
    assert_eq!((&legacy["cpu"]["usage"], &legacy["metrics"]), (&json!(61.4), &payload["metrics"]));
    assert_eq!(payload["timestamp"], "2026-11-22T13:01:01.394Z");
    assert_eq!(payload["appId"], "shop");
    assert_eq!(payload["source"], "UIcZQdQsoAMCLTw");
    let rows = world.env.rows("ReportsTable").await;
    assert!(rows.iter().any(|row| row["sk"]["S"] == payload["id"]), "{rows:?}");
    assert!(world.env.frames("banker=").is_empty());
    assert!(world.env.frames(PUBLISHER).is_empty());
}

#[tokio::test]
async fn stored_report_expires_by_the_retention_of_its_app() {
    let world = World::start().await;
    let mut archive = app("archive", Status::Active);
    archive.retention.raw = Some(100);
    world.env.register(&archive).await;
    let ingest = world.instance();
    for name in ["shop", "archive"] {
        ingest.receive_by(&publishing(name), &metrics(&report_of(name, 0)), NOW_MS).await;
    }
    let rows = world.env.rows("ReportsTable").await;
    assert_eq!(rows.len(), 2);
    for (name, hours) in [("shop", 48), ("archive", 100)] {
        let row = rows.iter().find(|row| row["appId"]["S"] == name).unwrap();
        assert_eq!(row["pk"]["S"], format!("{name}#2026-11-22T13#0"));
        assert!(row["sk"]["S"].as_str().unwrap().starts_with("001795352461387#UIcZQdQsoAMCLTw#"));
        assert_eq!(row["document"]["S"], r#"{"cpu":{"usage":61.4}}"#);
        // A day more, for the rollup of its minute.
        let expires_at = NOW_MS / 1_000 + (hours + 24) * 3_600;
        assert_eq!(row["expiresAt"]["N"], expires_at.to_string(), "{name}");
    }
}

#[tokio::test]
async fn frame_without_id_gets_its_first_rejection() {
    let (world, ingest) = warm().await;
    ingest.receive(&metrics(&json!([report(1), {"appId": "shop"}]))).await;
    let payload = &reply(&world)["payload"];
    assert_eq!(payload["code"], "missing_field");
    assert_eq!(payload["field"], "data[1].metrics");
    assert_eq!(payload["retryable"], false);
}

#[tokio::test]
async fn report_stamped_at_the_end_of_time_costs_no_other() {
    let (world, ingest) = warm().await;
    let at = |timestamp: Value| json!({"appId": "shop", "timestamp": timestamp, "metrics": {"a": 1}});
    let far = [
        json!(253_402_127_999_999_i64),
        json!(253_402_128_000_000_i64),
        json!(253_402_207_200_000_i64),
        json!(253_402_300_799_999_i64),
        json!("9999-12-31T23:59:59.999Z"),
        json!(i64::MAX),
        json!(-1),
    ];
    let mut batch: Vec<Value> = (1..=5).map(report).collect();
    batch.extend(far.iter().cloned().map(at));
    ingest.receive(&metrics_with_id(&json!(batch))).await;
    let ack = reply(&world);
    assert_eq!(ack["payload"]["accepted"], 5, "{ack}");
    let rejected = ack["payload"]["rejected"].as_array().unwrap();
    assert_eq!(rejected.len(), far.len(), "{ack}");
    let codes: Vec<&str> = rejected.iter().map(|entry| entry["code"].as_str().unwrap()).collect();
    assert_eq!(codes[..2], ["timestamp_out_of_range"; 2]);
    assert_eq!(codes[2..], ["invalid_field"; 5]);
    assert_eq!(world.stored().await, 6);
}

#[tokio::test]
async fn frame_with_an_app_of_others_stores_nothing() {
    let world = World::start().await;
    world.env.register(&app("bank", Status::Active)).await;
    for other in ["bank", "nowhere"] {
        let batch = json!([report(0), report_of(other, 1)]);
        world.instance().receive_by(&publishing("shop"), &metrics(&batch), NOW_MS).await;
        assert_eq!(error_code(&world), "forbidden", "{other}");
    }
    assert_eq!(world.stored().await, 0);
}

#[tokio::test]
async fn connection_without_a_grant_publishes_nothing() {
    let (world, ingest) = cold().await;
    for is_open in [false, true] {
        if is_open {
            world.open(PUBLISHER, None).await;
        }
        ingest.receive(&metrics(&report(0))).await;
        assert_eq!(error_code(&world), "unauthorized");
    }
    let malformed: events::Attached<'_> = &[("grant", "no grant"), ("role", "program")];
    ingest.receive_attached(&metrics(&report(0)), malformed, NOW_MS).await;
    assert_eq!(error_code(&world), "unauthorized");
    assert_eq!(world.stored().await, 0);
}

#[tokio::test]
async fn viewer_and_inactive_app_publish_nothing() {
    let world = World::start().await;
    world.env.register(&app("old", Status::Inactive)).await;
    for (name, scope, code) in [("shop", Scope::VIEW, "forbidden"), ("old", Scope::PUBLISH, "app_inactive")] {
        let frame = metrics(&report_of(name, 0));
        world.instance().receive_by(&grant(name, scope), &frame, NOW_MS).await;
        assert_eq!(error_code(&world), code);
    }
    assert_eq!(world.stored().await, 0);
}

#[tokio::test]
async fn revoked_key_and_inactive_app_are_rejected_within_a_minute() {
    for (changed, code) in
        [(shop_with_key("another key"), "unauthorized"), (app("shop", Status::Inactive), "app_inactive")]
    {
        let (world, ingest) = cold().await;
        ingest.receive_by(&publishing("shop"), &metrics(&report(0)), NOW_MS).await;
        world.replace_shop(&changed).await;
        ingest.receive_by(&publishing("shop"), &metrics(&report(1)), NOW_MS + 60_001).await;
        assert_eq!(error_code(&world), code);
        assert_eq!(world.stored().await, 1);
    }
}

#[tokio::test]
async fn limited_app_is_rejected_until_its_time() {
    let (world, ingest) = cold().await;
    let send = async |offset_ms, at_ms| {
        ingest.receive_by(&publishing("shop"), &metrics(&report(offset_ms)), NOW_MS + at_ms).await;
    };
    send(0, 0).await;
    let until = TimestampMs::clamped(NOW_MS + 180_000);
    let limited = world.env.apps().limit(&id("shop"), until).await;
    assert_eq!(limited.unwrap(), nsl_aws::apps::Limited::Done);
    // The cached app is not limited yet.
    send(1, 60_000).await;
    assert_eq!(world.stored().await, 2);
    world.env.take_calls();
    send(2, 60_001).await;
    let payload = &reply(&world)["payload"];
    assert_eq!(payload["code"], "rate_limited");
    assert_eq!((&payload["retryable"], &payload["retryAfterMs"]), (&json!(true), &json!(119_999)));
    assert_eq!(world.stored().await, 2);
    send(3, 180_000).await;
    assert_eq!(world.stored().await, 3);
}

#[tokio::test]
async fn persistent_sender_gets_a_hundred_rejections_then_one_a_second() {
    let (world, ingest) = cold().await;
    for _ in 0..150 {
        ingest.receive_by(&publishing("bank"), &metrics(&report(0)), NOW_MS).await;
    }
    assert_eq!(world.env.frames(PUBLISHER).len(), 100);
    assert_eq!(ingest.counters.total(Counter::rejections(Code::Forbidden)), 150);
    assert_eq!(ingest.counters.total(Counter::AbsorbedFrames), 50);
    for (later_ms, frames) in [(999, 100), (1_000, 101), (1_000, 101), (4_000, 102)] {
        ingest.receive_by(&publishing("bank"), &metrics(&report(0)), NOW_MS + later_ms).await;
        assert_eq!(world.env.frames(PUBLISHER).len(), frames, "after {later_ms} ms");
    }
}

#[tokio::test]
async fn frame_over_the_rate_stores_nothing() {
    let (world, ingest) = cold().await;
    let empty = metrics(&vec![json!({"appId": "shop"}); 100].into());
    for _ in 0..50 {
        ingest.receive_by(&publishing("shop"), &empty, NOW_MS).await;
    }
    world.env.take_calls();
    ingest.receive_by(&publishing("shop"), &metrics(&report(1)), NOW_MS).await;
    assert_eq!(error_code(&world), "rate_limited");
    assert_eq!(world.stored().await, 0);
    ingest.receive_by(&publishing("shop"), &metrics(&report(1)), NOW_MS + 2).await;
    assert_eq!(world.stored().await, 1);
}

#[tokio::test]
async fn viewer_gets_frames_no_closer_than_its_min_interval() {
    let world = World::start().await;
    world.subscribe("slow=", "shop", 1_000, Dialect::Modern).await;
    world.subscribe("fast=", "shop", 0, Dialect::Modern).await;
    let ingest = world.instance();
    world.open(PUBLISHER, Some(&publishing("shop"))).await;
    for offset_ms in [0, 500, 999, 1_000, 1_999, 2_000] {
        ingest.receive_at(&metrics(&report(offset_ms)), NOW_MS + offset_ms).await;
    }
    assert_eq!(world.env.frames("fast=").len(), 6);
    let frames = world.env.frames("slow=");
    let timestamps: Vec<_> = frames.iter().map(|frame| &frame["payload"]["timestamp"]).collect();
    let expected = ["2026-11-22T13:01:01.387Z", "2026-11-22T13:01:02.387Z", "2026-11-22T13:01:03.387Z"];
    assert_eq!(timestamps, expected);
}

#[tokio::test]
async fn new_auth_and_new_key_are_accepted_at_once() {
    let world = World::start().await;
    world.env.register(&app("bank", Status::Active)).await;
    let ingest = world.warm_instance().await;
    ingest.receive(&metrics(&report_of("bank", 1))).await;
    assert_eq!(error_code(&world), "forbidden");
    world.open(PUBLISHER, Some(&publishing("bank"))).await;
    ingest.receive(&metrics(&report_of("bank", 1))).await;
    assert!(world.env.frames(PUBLISHER).is_empty(), "authenticated for another app");

    world.replace_shop(&shop_with_key("the next key")).await;
    let grant = grant_by_key("the next key", Scope::PUBLISH);
    ingest.receive_by(&grant, &metrics(&report(2)), NOW_MS).await;
    assert!(world.env.frames(PUBLISHER).is_empty(), "a key was added");
    assert_eq!(world.stored().await, 3);
}

#[tokio::test]
async fn replies_with_long_names_fit_a_frame() {
    let (world, ingest) = warm().await;
    for letter in ["x", "\\u0001", "\\\"", "é", "\\\\"] {
        let name = letter.repeat(6_000 / letter.len());
        let of = |count: usize, name: &str| {
            let report = format!(r#"{{"appId":"shop","metrics":{{"{name}":1e999}}}}"#);
            vec![report; count].join(",")
        };
        for data in [of(1, &name.repeat(2)), format!("[{}]", of(4, &name))] {
            for id in ["", r#""id":"f1","#] {
                ingest.receive(&format!(r#"{{"type":"metrics",{id}"data":{data}}}"#)).await;
                let reply = reply(&world).to_string();
                assert!(reply.len() <= 30 * 1024, "{letter}: {} bytes: {reply:.300}", reply.len());
            }
        }
    }
}
