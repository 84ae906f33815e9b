//! Authentication by the first frame: what succeeds, and the errors of what does not.
//! `credentials` has what each credential allows.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::system::harness::{App, Client, DEADLINE, Gateway, metrics_frame, shared_app};

/// More frames than it takes until one instance of the function closes an unauthenticated connection.
const UNAUTHENTICATED_FRAMES_MAX: usize = 300;

fn auth(app_id: &str, api_key: &str) -> Value {
    json!({"type": "auth", "data": {"appId": app_id, "apiKey": api_key}})
}

#[tokio::test]
async fn wrong_key_is_rejected_and_can_be_corrected() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::open(gateway).await;
    let wrong = format!("nehonix@{}.nsl", "0".repeat(64));
    let rejection = client.rejection(&auth(&app.app_id, &wrong)).await;
    assert_eq!((&rejection["code"], &rejection["retryable"]), (&json!("unauthorized"), &json!(false)));
    assert!(!rejection.to_string().contains(&"0".repeat(64)), "an error has no credential");

    client.send(&auth(&app.app_id, &app.api_key)).await;
    let welcome = client.next("auth_success").await["payload"].take();
    assert_eq!((&welcome["appId"], &welcome["userId"]), (&json!(app.app_id), &json!(app.user_id)));
    assert_eq!(client.publish(&app, 1).await["accepted"], 1);
}

#[tokio::test]
async fn foreign_and_unknown_applications_are_rejected_alike() {
    let gateway = Gateway::shared();
    let (app, foreign) = (App::create(gateway).await, App::create(gateway).await);
    let mut rejections = Vec::new();
    for named in [foreign.app_id.as_str(), "no-such-application"] {
        let by_auth = Client::open(gateway).await.rejection(&auth(named, &app.api_key)).await;
        assert_eq!(by_auth["code"], "unauthorized");
        let metrics = json!({"type": "metrics", "data": {"appId": named, "metrics": {"n": 1}}});
        let subscribe = json!({"type": "subscribe", "data": {"appId": named}});
        let key = [("x-api-key", app.api_key.as_str())];
        let at_handshake = Client::open_with(gateway, &key).await.expect("it opens");
        for mut client in [Client::authenticated(gateway, &app).await, at_handshake] {
            for frame in [&metrics, &subscribe] {
                let rejection = client.rejection(frame).await;
                assert_eq!(rejection["code"], "forbidden", "{frame}");
                rejections.push(rejection);
            }
        }
        rejections.push(by_auth);
    }
    let (of_foreign, of_unknown) = rejections.split_at(rejections.len() / 2);
    assert_eq!(of_foreign, of_unknown);
}

#[tokio::test]
async fn unauthenticated_connection_can_neither_publish_nor_view() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::open(gateway).await;
    for kind in ["metrics", "send_metrics", "subscribe"] {
        let data = json!({"appId": app.app_id, "metrics": {"n": 1}});
        let rejection = client.rejection(&json!({"type": kind, "id": "mine", "data": data})).await;
        assert_eq!(
            (&rejection["code"], &rejection["id"]),
            (&json!("unauthorized"), &json!("mine")),
            "{kind}"
        );
    }
    let mut viewer = Client::authenticated(gateway, &app).await;
    assert_eq!(viewer.subscribe(&app).await["reports"], json!([]), "an unauthenticated report was stored");
}

#[tokio::test]
async fn unauthenticated_publisher_is_rejected_then_closed() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::open(gateway).await;
    let frame = metrics_frame(&app, "m", json!({"n": 1})).to_string();
    // Each function instance counts separately, and the gateway may run several.
    let mut rejections = 0;
    while rejections < UNAUTHENTICATED_FRAMES_MAX
        && client.try_send_message(Message::text(frame.as_str())).await
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
