//! How often reports are replayed, and how many.

use nsl_domain::frame::replay::{MAX_REPLAY_BYTES, REPLAY_EVERY_MS};

use super::*;

/// A subscription that asks for the last quarter of an hour, as in the attack: 71 bytes.
fn subscribe_since_long_ago() -> String {
    json!({"type": "subscribe", "data": {"appId": "shop", "since": NOW_MS - 900_000}}).to_string()
}

/// Stores reports of `bytes` bytes each.
async fn store_many(world: &World, count: i64, bytes: usize) {
    let text = "x".repeat(bytes);
    for n in 0..count {
        world.store(-60_000 - n, &format!("{{\"n\":{n},\"text\":\"{text}\"}}")).await;
    }
}

/// What one `subscribe` is answered, on any connection: its body, and the bytes of that and of all posts.
async fn answered(world: &World, session: &Session, connection: &str, at_ms: i64) -> (Value, usize) {
    let grant = granted("shop", Scope::VIEW);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let frame = subscribe_since_long_ago();
    let body =
        body(session, events::message(connection, "subscribe", &frame, attached, at_ms)).await.unwrap();
    let posted: usize = world.env.frames(connection).iter().map(|frame| frame.to_string().len()).sum();
    world.env.take_calls();
    let bytes = body.to_string().len() + posted;
    (body, bytes)
}

async fn open(session: &Session, connection: &str) {
    let grant = granted("shop", Scope::VIEW);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    handle(session, events::connect(connection, &[], attached, NOW_MS)).await;
}

#[tokio::test]
async fn repeated_subscription_replays_once_in_ten_seconds() {
    let world = World::start().await;
    store_many(&world, 200, 600).await;
    // Twelve frames of 71 bytes, on as many instances.
    let first = world.instance();
    open(&first, "a=").await;
    let (mut sent, mut refused) = (0, 0);
    for n in 0..12_i64 {
        let instance = if n == 0 { &first } else { &world.instance() };
        let (body, bytes) = answered(&world, instance, "a=", NOW_MS + n * 100).await;
        sent += bytes;
        if body["type"] == "error" {
            refused += 1;
            assert_eq!(body["payload"]["code"], "rate_limited");
            assert_eq!(body["payload"]["retryAfterMs"], REPLAY_EVERY_MS - n * 100);
        }
    }
    assert_eq!(refused, 11);
    assert!(sent < 200_000, "{sent} bytes");
    let (body, _) = answered(&world, &world.instance(), "a=", NOW_MS + REPLAY_EVERY_MS).await;
    assert_eq!(body["type"], "subscribed", "after the announced time it is answered");
    assert!(!body["payload"]["reports"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn unsubscribing_earns_no_replay() {
    let (world, session) = authorised().await;
    subscribe(&session, PROGRAM).await;
    for instance in [&session, &world.instance()] {
        send(instance, "unsubscribe", &unsubscribe_from("shop"), PROGRAM).await;
        let refused = send(instance, "subscribe", &subscribe_to("shop"), PROGRAM).await.unwrap();
        assert_eq!(refused["payload"]["code"], "rate_limited");
        assert!(world.subscriptions().await.is_empty(), "no `subscribed` without its replay");
    }
}

#[tokio::test]
async fn reconnecting_viewer_gets_its_replay_at_once() {
    let world = World::start().await;
    store_many(&world, 10, 100).await;
    let session = world.instance();
    for connection in ["a=", "b=", "c="] {
        open(&session, connection).await;
        let (body, _) = answered(&world, &session, connection, NOW_MS).await;
        assert_eq!(
            (&body["type"], body["payload"]["reports"].as_array().unwrap().len()),
            (&json!("subscribed"), 10)
        );
    }
}

#[tokio::test]
async fn replay_has_at_most_half_a_megabyte_of_documents() {
    let world = World::start().await;
    store_many(&world, 60, 13_000).await;
    let session = world.instance();
    open(&session, "a=").await;
    let (body, bytes) = answered(&world, &session, "a=", NOW_MS).await;
    assert_eq!((&body["payload"]["complete"], &body["payload"]["continued"]), (&json!(false), &json!(true)));
    assert!((MAX_REPLAY_BYTES / 2..MAX_REPLAY_BYTES + 100_000).contains(&bytes), "{bytes} bytes");
}

#[tokio::test]
async fn connections_of_an_app_share_a_budget_of_bytes() {
    let world = World::start().await;
    store_many(&world, 45, 12_000).await;
    let session = world.instance();
    let mut refused = Vec::new();
    for n in 0..80 {
        let connection = format!("c{n}=");
        open(&session, &connection).await;
        let (body, _) = answered(&world, &session, &connection, NOW_MS).await;
        refused.extend(body["payload"]["retryAfterMs"].as_i64());
    }
    assert!((10..20).contains(&refused.len()), "{} of 80 are refused", refused.len());
    let wait_ms = refused[0];
    assert!((1..=4_000).contains(&wait_ms), "{wait_ms}");
    let (body, _) = answered(&world, &session, "c79=", NOW_MS + wait_ms).await;
    assert_eq!(body["type"], "subscribed");
}
