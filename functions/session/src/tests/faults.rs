//! What happens when AWS fails, and that each route keeps its promise of a body or of none.

use std::time::Duration;

use nsl_aws::deadline;
use nsl_domain::frame::control::ANSWERED_BY_ROUTE;
use nsl_test_support::{Behaviour, Failure};

use super::*;
use nsl_domain::frame::replay::REPLAY_EVERY_MS;

/// Attempts of one call, the first included, as `nsl_aws::retries` configures.
const ATTEMPTS: usize = 3;

/// A time of an invocation that is too short for a second attempt of a call.
const TIME: Duration = Duration::from_secs(1);

fn assert_unavailable(frame: &Value) {
    assert_eq!(frame["type"], "error", "{frame}");
    assert_eq!(frame["payload"]["code"], "unavailable", "{frame}");
    assert_eq!(frame["payload"]["retryable"], true, "{frame}");
}

#[tokio::test]
async fn two_way_route_always_has_a_body() {
    let (world, session) = authorised().await;
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
                let body = send(&session, route, &frame.to_string(), PROGRAM).await;
                assert!(body.is_some_and(|body| body["type"].is_string()), "{frame}");
            }
        }
    }
    assert!(world.env.frames(CONNECTION).is_empty(), "a result is not posted as well");
}

#[tokio::test]
async fn one_way_route_never_has_a_body() {
    let (world, session) = connected(PROGRAM).await;
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
            assert_eq!(send(&session, route, &frame, PROGRAM).await, None, "{frame}");
        }
    }
}

#[tokio::test]
async fn unreachable_store_gives_unavailable_until_it_is_back() {
    let (world, session) = authorised().await;
    world.env.dynamodb.go_offline();
    let body = send(&session, "subscribe", &subscribe_to("shop"), PROGRAM).await.unwrap();
    assert_unavailable(&body);
    assert_eq!(body["payload"]["id"], "s1");
    assert_unavailable(&send(&session, "unsubscribe", &unsubscribe_from("shop"), PROGRAM).await.unwrap());
    assert_eq!(send(&session, "ping", r#"{"type":"ping"}"#, PROGRAM).await, Some(json!({"type": "pong"})));
    send(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await;
    let frames = world.env.frames(CONNECTION);
    assert_eq!(frames.len(), 1);
    assert_unavailable(&frames[0]);

    world.env.dynamodb.go_online();
    subscribe(&session, PROGRAM).await;
    assert_eq!(world.subscriptions().await.len(), 1);
}

#[tokio::test]
async fn fault_at_any_step_of_subscribe_gives_unavailable() {
    let (world, session) = authorised().await;
    let mut later_ms = NOW_MS;
    for operation in ["GetItem", "UpdateItem", "PutItem", "Query"] {
        world.env.dynamodb.fail(operation, Failure::InternalError, ATTEMPTS);
        let body = send_at(&session, "subscribe", &subscribe_to("shop"), PROGRAM, later_ms).await.unwrap();
        assert_unavailable(&body);
        // What failed after its replay was claimed may be repeated like any other.
        later_ms += REPLAY_EVERY_MS;
    }
    let body = send_at(&session, "subscribe", &subscribe_to("shop"), PROGRAM, later_ms).await.unwrap();
    assert_eq!(body["type"], "subscribed");
}

#[tokio::test]
async fn handshake_without_a_store_is_rejected() {
    let world = World::start().await;
    let session = world.instance();
    world.env.dynamodb.go_offline();
    assert_eq!(connect(&session, &[], PROGRAM).await, 503);
    world.env.dynamodb.go_online();
    assert_eq!(connect(&session, &[], PROGRAM).await, 200);
}

#[tokio::test]
async fn disconnect_without_a_store_succeeds() {
    let (world, session) = authorised().await;
    world.env.dynamodb.go_offline();
    let response = disconnect(&session).await;
    assert_eq!(response.status_code, 200);
}

#[tokio::test]
async fn reply_to_a_gone_connection_is_dropped() {
    let (world, session) = connected(PROGRAM).await;
    world.env.connections.set_behaviour(CONNECTION, Behaviour::Gone);
    assert_eq!(send(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await, None);
    assert_eq!(send(&session, "$default", "no json", PROGRAM).await, None);
}

#[tokio::test]
async fn panic_in_one_frame_is_answered_as_a_fault() {
    let (world, session) = authorised().await;
    world.env.panic_on("Query", "shop", 1);
    let body = send(&session, "subscribe", &subscribe_to("shop"), PROGRAM).await.unwrap();
    assert_unavailable(&body);
    assert_eq!(body["payload"]["id"], "s1");
    assert!(!body.to_string().contains("injected"), "{body}");
    assert_eq!(send(&session, "ping", r#"{"type":"ping"}"#, PROGRAM).await, Some(json!({"type": "pong"})));
    assert_eq!(
        send(&session, "unsubscribe", &unsubscribe_from("shop"), PROGRAM).await.unwrap()["type"],
        "unsubscribed"
    );
}

#[tokio::test]
async fn panic_in_a_frame_of_the_library_is_not_answered() {
    let (world, session) = connected(PROGRAM).await;
    world.env.panic_on("GetItem", "shop", 1);
    assert_eq!(send(&session, "auth", &auth_by_user("shop", "ann"), PROGRAM).await, None);
    assert!(world.env.frames(CONNECTION).is_empty());
    assert_eq!(send(&session, "auth", &auth_by_user("shop", "ann"), PROGRAM).await, None);
    assert_eq!(world.env.frames(CONNECTION)[0]["type"], "auth_success");
}

#[tokio::test]
async fn panic_at_either_end_of_a_connection_is_a_fault() {
    let world = World::start().await;
    let session = world.instance();
    world.env.panic_on("PutItem", "", 1);
    assert_eq!(connect(&session, &[], PROGRAM).await, 503);
    assert_eq!(connect(&session, &[], PROGRAM).await, 200);
    world.env.panic_on("DeleteItem", "", 1);
    assert_eq!(disconnect(&session).await.status_code, 200);
}

#[tokio::test]
async fn unresponsive_table_is_answered_before_the_function_ends() {
    let world = World::start().await;
    let session = world.instance();
    for operation in ["GetItem", "PutItem", "UpdateItem", "Query"] {
        world.env.dynamodb.fail(operation, Failure::NoResponse, usize::MAX);
    }
    let connect = events::connect(CONNECTION, &[], PROGRAM, NOW_MS);
    let connect = session.handle(serde_json::from_value(connect).unwrap());
    assert_eq!(deadline::within(TIME, connect).await.unwrap().status_code, 503);
    assert_eq!(world.env.take_calls().len(), 1, "there is no time for a retry");

    let frame = json!({"type": "subscribe", "data": {"appId": "shop"}}).to_string();
    let body = deadline::within(TIME, send(&session, "subscribe", &frame, PROGRAM)).await;
    assert_unavailable(&body.unwrap());
    assert_eq!(world.env.take_calls().len(), 1);
}
