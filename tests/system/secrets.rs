//! No log contains a secret, after a run with every kind of credential.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::system::harness::{App, Client, Gateway, nsl};

/// A well-formed key of no application, and a password sent by mistake.
const WRONG_KEY: &str = "nehonix@0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.nsl";
const PASSWORD: &str = "correct-horse-battery-staple";
/// Length of an end of a secret that must not be logged either.
const END_LENGTH: usize = 24;

/// Sends secrets, valid and invalid, in every place that a credential can have; returns the secrets.
async fn send_secrets(gateway: &Gateway) -> Vec<String> {
    let app = App::create(gateway).await;
    let new = nsl(gateway, &["app", "rotate-key", &app.app_id]).await["apiKey"].take();
    let issued = nsl(gateway, &["token", "issue", "--app", &app.app_id, "--scope", "both"]).await;
    let token = issued["token"].as_str().expect("a token").to_owned();
    let forged = format!("{}tampered", &token[..token.len() - 8]);
    let secrets = [
        app.api_key.clone(),
        new.as_str().expect("a key").to_owned(),
        token,
        forged,
        WRONG_KEY.to_owned(),
        PASSWORD.to_owned(),
    ];
    for secret in &secrets {
        let encoded = URL_SAFE_NO_PAD.encode(secret);
        let bearer = format!("Bearer {secret}");
        let offered = format!("nsl.v1, key.{encoded}");
        for header in [
            ("authorization", bearer.as_str()),
            ("x-api-key", secret),
            ("sec-websocket-protocol", offered.as_str()),
        ] {
            // The secret was sent, accepted or not.
            let _ = Client::open_with(gateway, &[header]).await;
        }
        for name in ["apiKey", "token"] {
            let address = format!("{}/?{name}={secret}", gateway.ready().ws);
            let _ = Client::open_at(&address, &[]).await;
        }
        for name in ["apiKey", "token"] {
            let mut client = Client::open(gateway).await;
            client.send(&json!({"type": "auth", "data": {"appId": app.app_id, name: secret}})).await;
            client
                .next_where("an answer", |frame| frame["type"] == "auth_success" || frame["type"] == "error")
                .await;
            client.publish_or_rejected(&app).await;
            // Secrets in the wrong fields.
            client.send(&json!({"type": "auth", "data": {"appId": secret, name: secret}})).await;
            client.round_trip().await;
            client.send_text(&format!("{{\"type\": \"metrics\", \"apiKey\": \"{secret}")).await;
            client.round_trip().await;
        }
        gateway.get(&format!("/apps/{}/metrics/latest", app.app_id), Some(secret)).await;
        gateway.get(&format!("/apps/{}/metrics/latest?token={secret}", app.app_id), None).await;
    }
    secrets.into()
}

/// The forms of a secret that must not be logged: itself, its end and its encodings.
fn traces(secret: &str) -> Vec<String> {
    let end = &secret[secret.len().saturating_sub(END_LENGTH)..];
    vec![secret.to_owned(), end.to_owned(), URL_SAFE_NO_PAD.encode(secret), STANDARD.encode(secret)]
}

#[tokio::test]
async fn no_log_contains_a_secret() {
    let gateway = Gateway::start_with(&["--no-demo", "--verbose"], &[("RUST_LOG", "trace")]).await;
    let folder = gateway.folder().to_owned();
    let mut secrets = send_secrets(&gateway).await;
    secrets.extend(gateway.ready().secrets.values().cloned());
    assert!(secrets.len() > 6, "the secret that signs is among them");
    assert!(gateway.interrupt().await.success());

    let logs = [folder.join(".nsl/functions.log"), folder.join("gateway.log")];
    let logs = logs
        .map(|path| fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display())));
    assert!(logs[0].contains("credential refused"), "the log is that of this run");
    assert!(logs.iter().any(|log| log.contains("DEBUG")), "the debug lines are there");
    let lines: Vec<&str> = logs.iter().flat_map(|log| log.lines()).collect();
    for trace in secrets.iter().flat_map(|secret| traces(secret)) {
        let leaking = lines.iter().find(|line| line.contains(&trace));
        assert!(leaking.is_none(), "a log contains {trace:?}: {}", leaking.unwrap_or(&""));
    }
}
