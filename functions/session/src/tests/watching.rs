//! Subscribing: what is replayed, who may, how many.

use nsl_aws::counters::Counter;
use nsl_domain::conversation::MAX_SUBSCRIPTIONS;
use nsl_domain::conversation::connection_cache::MAX_MODERN_FRAMES;
use nsl_domain::frame::replay::REPLAY_EVERY_MS;
use nsl_domain::grant::Proof;

use super::*;

/// The stamps of a frame's reports, in seconds before the present.
fn ages(frame: &Value) -> Vec<i64> {
    let reports = frame["payload"]["reports"].as_array().unwrap();
    let stamp = |report: &Value| TimestampMs::from_iso(report["timestamp"].as_str().unwrap()).unwrap();
    reports.iter().map(|report| (NOW_MS - stamp(report).ms()) / 1_000).collect()
}

fn subscribe_since(age_ms: i64) -> String {
    json!({"type": "subscribe", "data": {"appId": "shop", "since": NOW_MS - age_ms}}).to_string()
}

#[tokio::test]
async fn since_at_the_end_of_time_is_answered() {
    for (since, kind) in [
        (json!(253_402_128_000_000_i64), "subscribed"),
        (json!(253_402_207_200_000_i64), "error"),
        (json!(253_402_300_799_999_i64), "error"),
        (json!("9999-12-31T23:59:59.999Z"), "error"),
        (json!(0), "subscribed"),
    ] {
        let (_world, session) = authorised().await;
        let frame = json!({"type": "subscribe", "data": {"appId": "shop", "since": since}}).to_string();
        let body = send(&session, "subscribe", &frame, PROGRAM).await.unwrap();
        assert_eq!(body["type"], kind, "{since}");
    }
}

#[tokio::test]
async fn subscriber_gets_the_last_minute_oldest_first() {
    let (world, session) = authorised().await;
    for age_s in [10, 59, 61, 30] {
        world.store(-age_s * 1_000, r#"{"a":1}"#).await;
    }
    let body = subscribe(&session, PROGRAM).await;
    assert_eq!(ages(&body), [59, 30, 10]);
    assert_eq!(body["payload"]["appId"], "shop");
    assert_eq!(body["payload"]["complete"], true);
    let report = &body["payload"]["reports"][2];
    assert_eq!((&report["source"], &report["metrics"]), (&json!("web-1"), &json!({"a": 1})));
    assert!(report["id"].is_string());
    assert!(world.env.frames(CONNECTION).is_empty());
}

#[tokio::test]
async fn returning_subscriber_gets_missed_reports_and_five_seconds() {
    let (world, session) = authorised().await;
    for age_s in [104, 106, 50, 890] {
        world.store(-age_s * 1_000, r#"{"a":1}"#).await;
    }
    let body = send(&session, "subscribe", &subscribe_since(100_000), PROGRAM).await.unwrap();
    assert_eq!((ages(&body), &body["payload"]["complete"]), (vec![104, 50], &json!(true)));
    let later_ms = NOW_MS + REPLAY_EVERY_MS;
    let long_ago = subscribe_since(3_600_000);
    let body = send_at(&session, "subscribe", &long_ago, PROGRAM, later_ms).await.unwrap();
    assert_eq!(ages(&body), [890, 106, 104, 50]);
    assert_eq!(body["payload"]["complete"], false, "the gap is longer than what is replayed");
}

#[tokio::test]
async fn unauthorised_viewer_is_not_subscribed() {
    let (world, session) = connected(PROGRAM).await;
    world.env.register(&app("bank")).await;
    let publisher = granted("shop", Scope::PUBLISH);
    let shopper = granted("shop", Scope::VIEW);
    for (attached, named, code) in [
        (PROGRAM, "shop", "unauthorized"),
        (&[("grant", publisher.as_str())][..], "shop", "forbidden"),
        (&[("grant", shopper.as_str())], "bank", "forbidden"),
        (&[("grant", shopper.as_str())], "nowhere", "forbidden"),
    ] {
        let body = send(&session, "subscribe", &subscribe_to(named), attached).await.unwrap();
        assert_eq!(body["type"], "error", "{named}");
        assert_eq!((text(&body["payload"]["code"]), &body["payload"]["id"]), (code.to_owned(), &json!("s1")));
    }
    assert!(world.subscriptions().await.is_empty());
}

#[tokio::test]
async fn revoked_key_cannot_subscribe_after_a_minute() {
    let (world, session) = authorised().await;
    world.replace(&App { keys: vec![KeyRecord::of("another", Scope::BOTH)], ..app("shop") }).await;
    let body = send_at(&session, "subscribe", &subscribe_to("shop"), PROGRAM, NOW_MS + 60_001).await.unwrap();
    assert_eq!(body["payload"]["code"], "unauthorized");
}

#[tokio::test]
async fn flood_of_frames_is_rejected_and_closed() {
    let (world, session) = authorised().await;
    for _ in 1..MAX_MODERN_FRAMES {
        let body = send(&session, "ping", r#"{"type":"ping"}"#, PROGRAM).await.unwrap();
        assert_eq!(body["type"], "pong");
    }
    world.env.take_calls();
    let body = send(&session, "subscribe", &subscribe_to("shop"), PROGRAM).await.unwrap();
    assert_eq!((&body["type"], &body["payload"]["code"]), (&json!("error"), &json!("rate_limited")));
    assert_eq!(body["payload"]["retryAfterMs"], 10_000);
    assert_eq!(world.env.take_lines(), [format!("DELETE {CONNECTION}")]);
    assert_eq!(session.counters.total(Counter::ClosedConnections), 1);
}

#[tokio::test]
async fn connection_watches_at_most_fifty_apps() {
    let (world, session) = connected(PROGRAM).await;
    let mut bodies = Vec::new();
    for index in 0..=MAX_SUBSCRIPTIONS {
        let name = format!("app-{index}");
        world.env.register(&app(&name)).await;
        let grant = granted(&name, Scope::VIEW);
        bodies.extend(send(&session, "subscribe", &subscribe_to(&name), &[("grant", &grant)]).await);
    }
    let refused = bodies.pop().unwrap();
    assert!(bodies.iter().all(|body| body["type"] == "subscribed"));
    assert_eq!(refused["payload"]["code"], "rate_limited");
    assert_eq!(world.subscriptions().await.len(), MAX_SUBSCRIPTIONS);
}

#[tokio::test]
async fn own_subscription_limit_applies() {
    let world = World::start().await;
    let mut club = app("club");
    (club.legacy, club.limits.subscriptions) = (true, Some(1));
    world.env.register(&club).await;
    let grant = granted("club", Scope::VIEW);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let session = world.connected(attached).await;
    for at_ms in [NOW_MS, NOW_MS + REPLAY_EVERY_MS] {
        let body = send_at(&session, "subscribe", &subscribe_to("club"), attached, at_ms).await.unwrap();
        assert_eq!(body["type"], "subscribed", "a repeated subscribe needs no room");
    }
    let second = events::connect("other=", &[], attached, NOW_MS);
    handle(&session, second).await;
    let frame = events::message("other=", "subscribe", &subscribe_to("club"), attached, NOW_MS);
    let refused = body(&session, frame).await.unwrap().to_string();
    assert!(refused.contains("rate_limited") && refused.contains("limit of subscriptions"), "{refused}");
    // The published dashboard gets no error: it would send `auth` again at once.
    let page = events::connect("page=", &[], PAGE, NOW_MS);
    handle(&session, page).await;
    let auth = events::message("page=", "auth", &auth_by_user("club", "ann"), PAGE, NOW_MS);
    handle(&session, auth).await;
    assert!(world.env.frames("page=").is_empty());
    assert_eq!(world.subscriptions().await.len(), 1);
}

#[tokio::test]
async fn connections_are_counted_when_they_subscribe() {
    let world = World::start().await;
    let mut club = app("club");
    club.limits.connections = Some(2);
    world.env.register(&club).await;
    let grant = granted("club", Scope::VIEW);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let session = world.instance();
    let viewers = ["a=", "b=", "c="];
    for viewer in viewers {
        let event = events::connect(viewer, &[], attached, NOW_MS);
        let answer = handle(&session, event).await;
        assert_eq!(answer.status_code, 200, "a viewer takes its room when it subscribes");
    }
    let mut kinds = Vec::new();
    for viewer in viewers {
        let event = events::message(viewer, "subscribe", &subscribe_to("club"), attached, NOW_MS);
        kinds.push(body(&session, event).await.unwrap()["type"].clone());
    }
    assert_eq!(kinds, ["subscribed", "subscribed", "error"]);
}

#[tokio::test]
async fn subscription_has_the_interval_and_the_proof_of_its_request() {
    let (world, session) = authorised().await;
    let slow = json!({"type": "subscribe", "data": {"appId": "shop", "minInterval": 250}}).to_string();
    send(&session, "subscribe", &slow, PROGRAM).await;
    let subscribers = world.env.subscriptions().of_app(&id("shop"), fixtures::now()).await.unwrap();
    let proof = grant("shop", Scope::BOTH).stored_proof();
    assert_eq!((subscribers[0].min_interval_ms, &subscribers[0].proof), (250, &proof));
}

#[tokio::test]
async fn unsubscribe_is_confirmed_with_or_without_a_subscription() {
    let (world, session) = authorised().await;
    subscribe(&session, PROGRAM).await;
    for _ in 0..2 {
        let body = send(&session, "unsubscribe", &unsubscribe_from("shop"), PROGRAM).await.unwrap();
        assert_eq!(body, json!({"type": "unsubscribed", "payload": {"appId": "shop"}}));
        assert!(world.subscriptions().await.is_empty());
    }
}

#[tokio::test]
async fn token_of_an_earlier_app_cannot_subscribe() {
    let world = World::start().await;
    let young = App { created_at: Some(fixtures::now().plus_ms(30_001)), ..app("young") };
    world.env.register(&young).await;
    let issued = |ms| {
        let proof = Proof::Token { issued: fixtures::now().plus_ms(ms) };
        Grant { proof, ..grant("young", Scope::BOTH) }.to_text()
    };
    for (ms, kind) in [(0, "error"), (1, "subscribed")] {
        let grant = issued(ms);
        let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
        let session = world.connected(attached).await;
        let body = send(&session, "subscribe", &subscribe_to("young"), attached).await.unwrap();
        assert_eq!(body["type"], kind, "{body}");
    }
}

#[tokio::test]
async fn added_key_subscribes_at_once() {
    let (world, session) = authorised().await;
    world.replace(&App { keys: vec![KeyRecord::of("another", Scope::BOTH)], ..app("shop") }).await;
    let grant = granted("shop", Scope::VIEW);
    let by_another = grant.replace(
        KeyRecord::of(&secret("shop"), Scope::VIEW).id.as_str(),
        KeyRecord::of("another", Scope::VIEW).id.as_str(),
    );
    let body = send(&session, "subscribe", &subscribe_to("shop"), &[("grant", &by_another)]).await.unwrap();
    assert_eq!(body["type"], "subscribed");
}
