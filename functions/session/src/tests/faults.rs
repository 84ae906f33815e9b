//! What happens when AWS fails, and that each route keeps its promise of a body or of none.

use nsl_domain::frame::control::ANSWERED_BY_ROUTE;
use nsl_test_support::{Behaviour, Failure};

use super::*;

/// Attempts of one call, the first included: `nsl_aws::boot` says so.
const ATTEMPTS: usize = 3;

fn assert_unavailable(frame: &Value) {
    assert_eq!(frame["type"], "error", "{frame}");
    assert_eq!(frame["payload"]["code"], "unavailable", "{frame}");
    assert_eq!(frame["payload"]["retryable"], true, "{frame}");
}

#[tokio::test]
async fn a_route_that_answers_by_itself_always_has_a_body() {
    let world = World::start().await;
    let session = world.authorised().await;
    for is_reachable in [true, false] {
        if !is_reachable {
            world.env.dynamodb.go_offline();
        }
        for route in ANSWERED_BY_ROUTE {
            for rest in [
                json!({}),
                json!({"data": null}),
                json!({"data": []}),
                json!({"data": {"appId": 7}}),
                json!({"data": {"appId": "shop"}}),
                json!({"data": {"appId": "nowhere"}}),
                json!({"data": {"appId": "shop", "since": "x", "minInterval": -1}}),
                json!({"id": {"a": 1}, "data": {"appId": "shop"}}),
            ] {
                let mut frame = rest;
                frame["type"] = json!(route);
                let body = hear(&session, route, &frame.to_string(), PROGRAM).await;
                assert!(body.is_some_and(|body| body["type"].is_string()), "{frame}");
            }
        }
    }
    assert!(world.env.frames(SPEAKER).is_empty(), "their answers are told once");
}

#[tokio::test]
async fn a_one_way_route_never_has_a_body() {
    let world = World::start().await;
    let session = world.connected(PROGRAM).await;
    for is_reachable in [true, false] {
        if !is_reachable {
            world.env.dynamodb.go_offline();
        }
        for (route, frame) in [
            ("auth", auth_by_key("shop", "shop")),
            ("auth", auth_by_key("shop", "wrong")),
            ("auth", auth_by_user("shop", "ann")),
            ("auth", r#"{"type":"auth"}"#.to_owned()),
            ("$default", "no json".to_owned()),
            ("$default", r#"{"type":"nonsense"}"#.to_owned()),
            ("$default", r#"{"type":"logs","data":{}}"#.to_owned()),
        ] {
            assert_eq!(hear(&session, route, &frame, PROGRAM).await, None, "{frame}");
        }
    }
}

#[tokio::test]
async fn an_unreachable_store_is_told_as_unavailable_and_passes() {
    let world = World::start().await;
    let session = world.authorised().await;
    world.env.dynamodb.go_offline();
    let body = hear(&session, "subscribe", &watch("shop"), PROGRAM).await.unwrap();
    assert_unavailable(&body);
    assert_eq!(body["payload"]["id"], "s1");
    assert_unavailable(&hear(&session, "unsubscribe", &unwatch("shop"), PROGRAM).await.unwrap());
    assert_eq!(hear(&session, "ping", r#"{"type":"ping"}"#, PROGRAM).await, Some(json!({"type": "pong"})));
    hear(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await;
    let frames = world.env.frames(SPEAKER);
    assert_eq!(frames.len(), 1);
    assert_unavailable(&frames[0]);

    world.env.dynamodb.go_online();
    subscribe(&session, PROGRAM).await;
    assert_eq!(world.watched().await.len(), 1);
}

#[tokio::test]
async fn a_fault_at_any_step_of_a_subscription_is_told() {
    let world = World::start().await;
    let session = world.authorised().await;
    for operation in ["GetItem", "UpdateItem", "PutItem", "Query"] {
        world.env.dynamodb.fail(operation, Failure::InternalError, ATTEMPTS);
        assert_unavailable(&hear(&session, "subscribe", &watch("shop"), PROGRAM).await.unwrap());
    }
    subscribe(&session, PROGRAM).await;
}

#[tokio::test]
async fn a_handshake_without_a_store_is_refused() {
    let world = World::start().await;
    let session = world.instance();
    world.env.dynamodb.go_offline();
    assert_eq!(connect(&session, &[], PROGRAM).await, 503);
    world.env.dynamodb.go_online();
    assert_eq!(connect(&session, &[], PROGRAM).await, 200);
}

#[tokio::test]
async fn an_end_without_a_store_is_no_failure() {
    let world = World::start().await;
    let session = world.authorised().await;
    world.env.dynamodb.go_offline();
    let event = events::disconnect(SPEAKER, PROGRAM, NOW_MS);
    let response = session.handle(serde_json::from_value(event).unwrap()).await.unwrap();
    assert_eq!(response.status_code, 200);
}

#[tokio::test]
async fn a_speaker_that_has_left_misses_its_answer_and_nothing_else_happens() {
    let world = World::start().await;
    let session = world.connected(PROGRAM).await;
    world.env.connections.set_behaviour(SPEAKER, Behaviour::Gone);
    assert_eq!(hear(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await, None);
    assert_eq!(hear(&session, "$default", "no json", PROGRAM).await, None);
}
