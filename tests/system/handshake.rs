//! A key in each of its places in the handshake. `credentials` has the status of each wrong one.

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
async fn rejected_handshakes_open_no_connection() {
    let gateway = Gateway::shared();
    let (app, other) = (App::create(gateway).await, App::create(gateway).await);
    let bearer = format!("Bearer {}", app.api_key);
    let differing = [("authorization", bearer.as_str()), ("x-api-key", other.api_key.as_str())];
    let mut attempts = Vec::from(in_every_place(gateway, &wrong_key()).await);
    attempts.push(Client::open_with(gateway, &differing).await);
    // Emulators of AWS differ in the status.
    for (place, rejected) in attempts.into_iter().enumerate() {
        let error = rejected.err().map(|error| *error);
        let is_rejected = matches!(&error, Some(Error::Http(response)) if response.status().as_u16() >= 400);
        assert!(is_rejected, "place {place}: {error:?}");
    }
}

#[tokio::test]
async fn connection_is_closed_at_the_fifth_wrong_key() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::open(gateway).await;
    let guess = json!({"type": "auth", "data": {"appId": app.app_id, "apiKey": wrong_key()}});
    assert_eq!(client.rejection(&guess).await["code"], "unauthorized");
    for _ in 0..3 {
        client.send(&guess).await;
        client.round_trip().await;
    }
    client.send(&guess).await;
    client.close_code().await;
    assert_eq!(client.remaining("error"), 0, "a repeated guess was answered");
}
