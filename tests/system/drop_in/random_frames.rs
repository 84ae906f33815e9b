//! Random frames in the library's dialect, valid and invalid, before and after `auth`: no reply is incompatible with the
//! client that sent them.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::owner_of;
use crate::compat::{ClientKind, Credentials, one_of, why_incompatible};
use crate::system::harness::{App, Client, DASHBOARD, Gateway};

const SEEDS: u64 = 6;
/// Few enough that no client is closed for flooding before it has sent most types.
const FRAMES: usize = 40;
/// Time after the last frame in which replies arrive.
const REPLY_TIME: Duration = Duration::from_millis(500);
const TYPES: [&str; 14] = [
    "auth",
    "send_metrics",
    "metrics",
    "logs",
    "history",
    "check_status",
    "get_last_actions",
    "filter",
    "clear",
    "command",
    "request_metrics",
    "request_history",
    "command_response",
    "status_response",
];

/// A frame of a random type with valid, invalid and missing parts.
fn any_frame(rng: &mut Rng, right: &Credentials) -> String {
    if rng.u64(..10) == 0 {
        let nonsense = ["", "null", "[]", "7", "{", "{}", "\"clear\"", r#"{"type":7}"#, r#"{"type":"auth"}"#];
        return (*one_of(rng, &nonsense)).to_owned();
    }
    let wrong = [json!(7), json!(null), json!("no spaces"), json!("unknown"), json!({}), json!([])];
    let mut frame = right.frame(one_of::<&str>(rng, &TYPES), json!({}));
    for (field, value) in [
        ("metrics", json!({"cpu": {"usage": rng.u64(..100)}, "payload": null, "logs": 1})),
        ("logs", json!([{"id": rng.u64(..9), "message": "m"}, null, 7])),
        ("type", json!(*one_of(rng, &["console_toggle", "encryption_toggle", "get_metrics", "clear"]))),
        ("data", json!({"enabled": rng.u64(..2) == 0})),
        ("timestamp", json!("yesterday")),
    ] {
        match rng.u64(..4) {
            0 => frame["data"][field] = one_of(rng, &wrong).clone(),
            1 => {}
            _ => frame["data"][field] = value,
        }
    }
    for field in ["userId", "appId"] {
        if rng.u64(..5) == 0 {
            frame["data"][field] = one_of(rng, &wrong).clone();
        }
    }
    match rng.u64(..12) {
        0 => frame["data"] = one_of(rng, &wrong).clone(),
        1 => frame["ws_sent_config"] = json!({"response_type": *one_of(rng, &["clear", "auth_error", "x"])}),
        _ => {}
    }
    frame.to_string()
}

/// Sends random frames as a client of this kind, and checks the replies.
async fn send_random_frames(gateway: &Gateway, app: &App, party: ClientKind, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let origin = [("origin", DASHBOARD)];
    let headers: &[(&str, &str)] = if party == ClientKind::Dashboard { &origin } else { &[] };
    let mut client = Client::open_with(gateway, headers).await.expect("it connects");
    let right = owner_of(app);
    let mut sent = Vec::new();
    if rng.u64(..3) > 0 {
        client.send(&right.frame("auth", json!({}))).await;
        client.next("auth_success").await;
    }
    for _ in 0..FRAMES {
        let frame = any_frame(&mut rng, &right);
        if frame.is_empty() || !client.try_send_message(Message::text(frame.as_str())).await {
            continue;
        }
        sent.push(frame);
    }
    let any = |_: &Value| true;
    while let Some(received) = client.next_within(REPLY_TIME, any).await {
        let why = why_incompatible(party, &received.to_string());
        assert_eq!(why, None, "seed {seed}, {party:?}: {received} after {sent:#?}");
    }
}

#[tokio::test]
async fn random_frames_get_only_compatible_replies() {
    let gateway = Gateway::shared();
    let app = App::create_legacy(gateway).await;
    for seed in 0..SEEDS {
        let (library, page) = (ClientKind::Library, ClientKind::Dashboard);
        // Both at once, so that each also gets the frames that the other causes.
        tokio::join!(
            send_random_frames(gateway, &app, library, seed),
            send_random_frames(gateway, &app, page, seed + SEEDS)
        );
    }
}
