//! What an open connection gets after its token expired or was revoked.

use std::time::Duration;

use serde_json::json;

use super::tokens::{claims, signed, with};
use crate::system::harness::{
    App, Client, DASHBOARD, legacy_frame, now_ms, nsl, shared_app, shared_legacy_app,
};

/// Lifetime of the token in seconds: enough to connect and subscribe on a busy machine.
const LIFE: i64 = 8;

#[tokio::test]
async fn viewer_gets_reports_until_its_token_expires() {
    let (gateway, app) = shared_app().await;
    let mut publisher = Client::authenticated(gateway, &app).await;
    let ends_ms = (now_ms() / 1_000 + LIFE) * 1_000;
    let claims = with(claims(&app.app_id, now_ms() / 1_000), json!({"exp": ends_ms / 1_000}));
    let bearer = format!("Bearer {}", signed(&claims, gateway.ready().secrets["TokenSecret"].as_str()));
    let mut guest = Client::open_with(gateway, &[("authorization", &bearer)]).await.expect("a handshake");
    let mut member = Client::viewer(gateway, &app).await;
    guest.subscribe(&app).await;
    publisher.publish(&app, 1).await;
    guest.next_report(1).await;

    let left_ms = u64::try_from(ends_ms - now_ms()).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(left_ms + 100)).await;
    publisher.publish(&app, 2).await;
    let error = guest.error().await;
    assert_eq!((&error["code"], &error["retryable"]), (&json!("unauthorized"), &json!(false)), "{error}");
    publisher.publish(&app, 3).await;
    member.next_report(3).await;
    guest.round_trip().await;
    assert_eq!((guest.remaining("metrics"), guest.remaining("error")), (0, 0), "nothing after the error");
}

#[tokio::test]
async fn publisher_by_a_revoked_token_gets_no_command() {
    let (gateway, app) = shared_legacy_app().await;
    // With two apps in its token no function caches the app before the token is revoked.
    let apps = [app.app_id.as_str(), App::create(gateway).await.app_id.as_str()].join(",");
    let issued = nsl(gateway, &["token", "issue", "--app", &apps, "--scope", "publish"]).await;
    let bearer = format!("Bearer {}", issued["token"].as_str().expect("a token"));
    let mut revoked = Client::open_with(gateway, &[("authorization", &bearer)]).await.expect("a handshake");
    nsl(gateway, &["app", "update", &app.app_id, "--revoke-tokens"]).await;
    let mut library = Client::legacy(gateway, &app, None).await;
    let mut page = Client::legacy(gateway, &app, Some(DASHBOARD)).await;

    let mut command = legacy_frame("command", &app);
    command["data"]["type"] = json!("console_toggle");
    command["data"]["data"] = json!({"enabled": false});
    page.send(&command).await;
    library.next("command").await;
    assert_eq!(page.next("command_response").await["payload"]["success"], true);
    revoked.round_trip().await;
    assert_eq!(revoked.remaining("command"), 0, "its token was revoked before the command");
}
