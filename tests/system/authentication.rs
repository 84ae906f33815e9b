//! Authentication by the first frame: what succeeds, and the errors of what does not.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::system::harness::{App, Client, DEADLINE, Gateway, metrics_frame, shared_app};

/// More frames than it takes until one instance of the function closes an unauthenticated connection.
const UNAUTHENTICATED_FRAMES_MAX: usize = 300;

fn auth(app_id: &str, api_key: &str) -> Value {
    json!({"type": "auth", "data": {"appId": app_id, "apiKey": api_key}})
}

#[tokio::test]
async fn key_authenticates_for_its_application() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::open(gateway).await;
    client.send(&auth(&app.app_id, &app.api_key)).await;
    let welcome = client.next("auth_success").await;
    assert_eq!(welcome["payload"]["appId"], json!(app.app_id));
    assert_eq!(welcome["payload"]["userId"], json!(app.user_id));
}

#[tokio::test]
async fn wrong_key_is_rejected_and_can_be_corrected() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::open(gateway).await;
    let wrong = format!("nehonix@{}.nsl", "0".repeat(64));
    client.send(&auth(&app.app_id, &wrong)).await;
    let rejection = client.error().await;
    assert_eq!(rejection["code"], "unauthorized");
    assert_eq!(rejection["retryable"], false);
    assert!(!rejection.to_string().contains(&"0".repeat(64)), "an error has no credential");

    client.send(&auth(&app.app_id, &app.api_key)).await;
    client.next("auth_success").await;
    assert_eq!(client.publish(&app, 1).await["accepted"], 1);
}

#[tokio::test]
async fn foreign_and_unknown_applications_are_rejected_alike() {
    let gateway = Gateway::shared();
    let (app, foreign) = (App::create(gateway).await, App::create(gateway).await);
    let mut rejections = Vec::new();
    for named in [foreign.app_id.as_str(), "no-such-application"] {
        let mut client = Client::open(gateway).await;
        client.send(&auth(named, &app.api_key)).await;
        let by_auth = client.error().await;
        assert_eq!(by_auth["code"], "unauthorized");

        let mut client = Client::authenticated(gateway, &app).await;
        client.send(&json!({"type": "metrics", "data": {"appId": named, "metrics": {"n": 1}}})).await;
        let by_metrics = client.error().await;
        client.send(&json!({"type": "subscribe", "data": {"appId": named}})).await;
        let by_subscribe = client.error().await;
        rejections.push([by_auth, by_metrics, by_subscribe]);
    }
    assert_eq!(rejections[0], rejections[1]);
}

#[tokio::test]
async fn unauthenticated_connection_can_neither_publish_nor_view() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::open(gateway).await;
    let send_metrics = json!({"type": "send_metrics", "data": {"appId": app.app_id, "metrics": {"n": 1}}});
    for frame in [
        json!({"type": "metrics", "data": {"appId": app.app_id, "metrics": {"n": 1}}}),
        send_metrics,
        json!({"type": "subscribe", "data": {"appId": app.app_id}}),
    ] {
        client.send(&frame).await;
        assert_eq!(client.error().await["code"], "unauthorized", "{frame}");
    }
    let mut viewer = Client::authenticated(gateway, &app).await;
    assert_eq!(viewer.subscribe(&app).await["reports"], json!([]), "an unauthenticated report was stored");
}

#[tokio::test]
async fn unauthenticated_publisher_is_rejected_then_closed() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::open(gateway).await;
    let frame = json!({"type": "metrics", "data": {"appId": app.app_id, "metrics": {"n": 1}}});
    // Each function instance counts separately, and the gateway may run several.
    let mut rejections = 0;
    while rejections < UNAUTHENTICATED_FRAMES_MAX
        && client.try_send_message(Message::text(frame.to_string())).await
    {
        let Some(rejection) = client.reply_within(&["error"], DEADLINE).await else { break };
        assert_eq!(rejection["payload"]["code"], "unauthorized");
        rejections += 1;
    }
    assert!((5..UNAUTHENTICATED_FRAMES_MAX).contains(&rejections), "{rejections} frames were rejected");
    client.close_code().await;
}

#[tokio::test]
async fn authenticated_connection_survives_invalid_frames() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::authenticated(gateway, &app).await;
    for _ in 0..50 {
        client.send_text("no json").await;
        assert_eq!(client.error().await["code"], "invalid_json");
    }
    assert_eq!(client.publish(&app, 1).await["accepted"], 1);
}

#[tokio::test]
async fn error_has_the_id_of_its_frame() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::open(gateway).await;
    client.send(&metrics_frame(&app, "mine", json!({"n": 1}))).await;
    let rejection = client.error().await;
    assert_eq!((&rejection["code"], &rejection["id"]), (&json!("unauthorized"), &json!("mine")));
}

#[tokio::test]
async fn incomplete_credentials_get_the_missing_field() {
    let gateway = Gateway::shared();
    let mut client = Client::open(gateway).await;
    for (data, code) in [
        (json!({"apiKey": "k"}), "missing_field"),
        (json!({"appId": "a"}), "missing_field"),
        (json!({"appId": 7, "apiKey": "k"}), "invalid_field"),
        (json!({"appId": "a", "apiKey": {}}), "invalid_field"),
        (json!({"appId": "no spaces", "apiKey": "k"}), "invalid_field"),
        (json!([]), "invalid_field"),
    ] {
        client.send(&json!({"type": "auth", "data": data})).await;
        assert_eq!(client.error().await["code"], code, "{data}");
    }
}

#[tokio::test]
async fn key_is_limited_to_its_scope() {
    let gateway = Gateway::shared();
    let writer = App::create_with(gateway, &["--scope", "publish"]).await;
    let mut client = Client::authenticated(gateway, &writer).await;
    assert_eq!(client.publish(&writer, 1).await["accepted"], 1);
    client.send(&json!({"type": "subscribe", "data": {"appId": writer.app_id}})).await;
    assert_eq!(client.error().await["code"], "forbidden");

    let reader = App::create_with(gateway, &["--scope", "view"]).await;
    let mut client = Client::viewer(gateway, &reader).await;
    client.send(&json!({"type": "metrics", "data": {"appId": reader.app_id, "metrics": {"n": 1}}})).await;
    assert_eq!(client.error().await["code"], "forbidden");
}
