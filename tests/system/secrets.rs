//! That no secret is written anywhere: the logs of a run with every kind of credential, read from end to end.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::system::harness::{App, Client, Gateway, nsl};

/// A key of the right form that opens nothing, and a password that somebody types in the wrong place.
const WRONG_KEY: &str = "nehonix@0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.nsl";
const PASSWORD: &str = "correct-horse-battery-staple";
/// Characters of a secret that give it away.
const TELLING: usize = 24;

/// A run in which secrets are shown, rightly and wrongly, in every place where one may stand. Answers with them.
async fn show_secrets(gateway: &Gateway) -> Vec<String> {
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
            // Refused or not, it was shown.
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
            client.publish_or_refused(&app).await;
            // Where a credential does not belong.
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

/// The forms in which a secret must not be found: itself, its end, which no other text has, and its encodings.
fn traces(secret: &str) -> Vec<String> {
    let end = &secret[secret.len().saturating_sub(TELLING)..];
    vec![secret.to_owned(), end.to_owned(), URL_SAFE_NO_PAD.encode(secret), STANDARD.encode(secret)]
}

#[tokio::test]
async fn no_log_contains_a_secret() {
    let gateway = Gateway::start_logging(&["--no-demo", "--verbose"], Some("debug")).await;
    let folder = gateway.folder().to_owned();
    let mut secrets = show_secrets(&gateway).await;
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
        let telling = lines.iter().find(|line| line.contains(&trace));
        assert!(telling.is_none(), "a log tells {trace:?}: {}", telling.unwrap_or(&""));
    }
}
