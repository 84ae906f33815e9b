//! Credentials in each of their places in the handshake, and the status of a wrong one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use crate::system::harness::{App, Client, Gateway, shared_app};

fn wrong_key() -> String {
    format!("nehonix@{}.nsl", "0".repeat(64))
}

fn subprotocols(key: &str) -> String {
    format!("nsl.v1, key.{}", URL_SAFE_NO_PAD.encode(key))
}

fn query(gateway: &Gateway, key: &str) -> String {
    let key = key.replace('@', "%40");
    format!("{}/?apiKey={key}", gateway.ready().ws.trim_end_matches('/'))
}

fn status(rejected: Result<Client, Box<Error>>) -> u16 {
    match rejected.map_err(|error| *error) {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("no reply to the handshake: {other}"),
        Ok(_) => 101,
    }
}

/// Opens a connection with `key` in each of its places.
async fn in_every_place(gateway: &Gateway, key: &str) -> [Result<Client, Box<Error>>; 4] {
    [
        Client::open_with(gateway, &[("authorization", &format!("Bearer {key}"))]).await,
        Client::open_with(gateway, &[("x-api-key", key)]).await,
        // A client that offers subprotocols rejects a response that echoes none or another.
        Client::open_with(gateway, &[("sec-websocket-protocol", &subprotocols(key))]).await,
        Client::open_at(&query(gateway, key), &[]).await,
    ]
}

#[tokio::test]
async fn key_in_the_handshake_authenticates() {
    let (gateway, app) = shared_app().await;
    for (n, opened) in (0..).zip(in_every_place(gateway, &app.api_key).await) {
        let mut client = opened.unwrap_or_else(|cause| panic!("place {n}: {cause}"));
        client.subscribe(&app).await;
        assert_eq!(client.publish(&app, n).await["accepted"], 1);
        client.next_report(n).await;
    }
}

#[tokio::test]
async fn wrong_key_fails_the_handshake() {
    let gateway = Gateway::shared();
    for rejected in in_every_place(gateway, &wrong_key()).await {
        assert_eq!(status(rejected), 401);
    }
}

#[tokio::test]
async fn two_different_keys_fail_the_handshake() {
    let gateway = Gateway::shared();
    let (app, other) = (App::create(gateway).await, App::create(gateway).await);
    let bearer = format!("Bearer {}", app.api_key);
    let headers = [("authorization", bearer.as_str()), ("x-api-key", other.api_key.as_str())];
    assert_eq!(status(Client::open_with(gateway, &headers).await), 401);
}

#[tokio::test]
async fn rejected_handshakes_open_no_connection() {
    let gateway = Gateway::shared();
    let (app, other) = (App::create(gateway).await, App::create(gateway).await);
    let bearer = format!("Bearer {}", app.api_key);
    let differing = [("authorization", bearer.as_str()), ("x-api-key", other.api_key.as_str())];
    let mut attempts = Vec::from(in_every_place(gateway, &wrong_key()).await);
    attempts.push(Client::open_with(gateway, &differing).await);
    // Emulators of AWS differ in the status.
    for (place, rejected) in attempts.into_iter().enumerate() {
        let status = status(rejected);
        assert!(status >= 400, "place {place}: {status}");
    }
}

#[tokio::test]
async fn key_in_the_handshake_is_limited_to_its_application() {
    let gateway = Gateway::shared();
    let (app, other) = (App::create(gateway).await, App::create(gateway).await);
    let mut client = Client::open_with(gateway, &[("x-api-key", &app.api_key)]).await.expect("it opens");
    for named in [other.app_id.as_str(), "no-such-application"] {
        client.send(&json!({"type": "subscribe", "data": {"appId": named}})).await;
        assert_eq!(client.error().await["code"], "forbidden");
        client.send(&json!({"type": "metrics", "data": {"appId": named, "metrics": {"n": 1}}})).await;
        assert_eq!(client.error().await["code"], "forbidden");
    }
}

#[tokio::test]
async fn connection_is_closed_at_the_fifth_wrong_key() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::open(gateway).await;
    let guess = json!({"type": "auth", "data": {"appId": app.app_id, "apiKey": wrong_key()}});
    client.send(&guess).await;
    assert_eq!(client.error().await["code"], "unauthorized");
    for _ in 0..3 {
        client.send(&guess).await;
        client.round_trip().await;
    }
    client.send(&guess).await;
    client.close_code().await;
    assert_eq!(client.remaining("error"), 0, "a repeated guess was answered");
}
