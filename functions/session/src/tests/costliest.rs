//! The costliest frames of docs/SECURITY.md, "The costliest request of each caller".

use nsl_test_support::RequestCost;
use nsl_test_support::prices::FRAME_MS;

use super::*;

#[tokio::test]
async fn wrong_credential_is_the_costliest_frame_of_anybody() {
    let (world, session) = connected(PROGRAM).await;
    world.env.forget_calls();
    send(&session, "auth", &auth_by_key("shop", "bank"), PROGRAM).await;
    RequestCost::of_frame(&world.env, None, FRAME_MS).assert_documented("anybody, WebSocket");
}

#[tokio::test]
async fn full_replay_is_the_costliest_frame_of_a_viewer() {
    let world = World::start().await;
    // More than a replay may have.
    let document = json!({"text": "x".repeat(14 * 1_024 - 20)}).to_string();
    world.store(-1_000, &document).await;
    let mut rows = world.env.rows("ReportsTable").await;
    let row = rows.remove(0);
    for index in 1..500_i64 {
        let (mut row, at) = (row.clone(), NOW_MS - 1_000 - 1_000 * index);
        let key = row["sk"]["S"].as_str().unwrap()[15..].to_owned();
        row["pk"]["S"] = json!(format!("shop#{}#0", &TimestampMs::clamped(at).to_string()[..13]));
        row["sk"]["S"] = json!(format!("{at:015}{key}"));
        row["timestamp"]["N"] = json!(at.to_string());
        world.env.put("ReportsTable", row).await;
    }
    let grant = granted("shop", Scope::VIEW);
    let attached: events::Attached<'_> = &[("role", "program"), ("grant", &grant)];
    let session = world.connected(attached).await;
    world.env.forget_calls();
    let since = TimestampMs::clamped(NOW_MS - 600_000).to_string();
    let frame =
        json!({"type": "subscribe", "id": "s1", "data": {"appId": "shop", "since": since}}).to_string();
    let body = send(&session, "subscribe", &frame, attached).await.unwrap();
    assert_eq!(body["type"], "subscribed");
    let result = body.to_string().len();
    RequestCost::of_frame(&world.env, Some(result), FRAME_MS).assert_documented("viewer, WebSocket");
}
