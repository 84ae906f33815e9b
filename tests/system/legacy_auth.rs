//! Authentication of the published library and its dashboard, which have no secret.

use serde_json::json;

use crate::system::harness::{App, Client, Gateway, iso, metrics_frame, now_ms};

/// An origin that the template allows by default.
const DASHBOARD: &str = "http://localhost:3000";

#[tokio::test]
async fn legacy_auth_publishes_to_a_legacy_application() {
    let gateway = Gateway::shared();
    let user = "nehonix_11111111-2222-4333-8444-555555555555";
    let app = App::create_with(gateway, &["--legacy", "--owner", user]).await;
    let mut viewer = Client::viewer(gateway, &app).await;
    let mut library = Client::open(gateway).await;
    library.send(&json!({"type": "auth", "data": {"userId": user, "appId": app.app_id}})).await;
    assert_eq!(library.next("auth_success").await["payload"]["userId"], user);

    let stamp = iso(now_ms());
    let data = json!({"userId": user, "appId": app.app_id, "metrics": {"n": 1}, "timestamp": stamp});
    library.send(&json!({"type": "send_metrics", "data": data})).await;
    viewer.next_report(1).await;
}

#[tokio::test]
async fn legacy_auth_fails_without_the_legacy_flag() {
    let gateway = Gateway::shared();
    let modern = App::create(gateway).await;
    let legacy = App::create_with(gateway, &["--legacy", "--owner", "nehonix_owner"]).await;
    for (app, user) in [(&modern, modern.user_id.as_str()), (&legacy, "nehonix_other")] {
        let mut viewer = Client::viewer(gateway, app).await;
        let mut library = Client::open(gateway).await;
        library.send(&json!({"type": "auth", "data": {"userId": user, "appId": app.app_id}})).await;
        let data = json!({"userId": user, "appId": app.app_id, "metrics": {"n": 1}});
        library.send(&json!({"type": "send_metrics", "data": data})).await;
        library.round_trip().await;

        Client::authenticated(gateway, app).await.publish(app, 2).await;
        viewer.next_report(2).await;
        assert_eq!(viewer.remaining("metrics"), 0, "an unauthenticated report was delivered");
        assert_eq!(library.remaining("auth_success"), 0, "{user} was authenticated");
        assert_eq!(library.remaining("auth_error"), 0, "the library throws on auth_error");
    }
}

#[tokio::test]
async fn allowed_page_views_by_legacy_auth_alone() {
    let gateway = Gateway::shared();
    let app = App::create_with(gateway, &["--legacy", "--owner", "nehonix_owner"]).await;
    let mut page = Client::open_with(gateway, &[("origin", DASHBOARD)]).await.expect("a page connects");
    page.send(&json!({"type": "auth", "data": {"userId": "nehonix_owner", "appId": app.app_id}})).await;
    page.next("auth_success").await;

    let metrics = json!({"cpu": {"usage": 12.5}, "memory": {"used": 1, "total": 2}});
    let mut publisher = Client::authenticated(gateway, &app).await;
    publisher.send(&metrics_frame(&app, "m", metrics.clone())).await;
    let payload = page.next("metrics").await["payload"].take();
    assert_eq!(payload["cpu"], metrics["cpu"], "the dashboard reads the payload flat: {payload}");
    assert_eq!((&payload["memory"], &payload["metrics"]), (&metrics["memory"], &metrics));

    page.send(&json!({"type": "send_metrics", "data": {"appId": app.app_id, "metrics": {"n": 1}}})).await;
    page.round_trip().await;
    publisher.publish(&app, 2).await;
    page.next_where("the next report", |frame| frame["payload"]["n"] == 2).await;
    assert_eq!(page.remaining("metrics"), 0, "a page published");
}

#[tokio::test]
async fn legacy_auth_rejects_a_foreign_origin() {
    let gateway = Gateway::shared();
    let app = App::create_with(gateway, &["--legacy", "--owner", "nehonix_owner"]).await;
    let Ok(mut page) = Client::open_with(gateway, &[("origin", "http://evil.example")]).await else { return };
    page.send(&json!({"type": "auth", "data": {"userId": "nehonix_owner", "appId": app.app_id}})).await;
    page.round_trip().await;
    let mut observer = Client::viewer(gateway, &app).await;
    Client::authenticated(gateway, &app).await.publish(&app, 1).await;
    observer.next_report(1).await;
    page.round_trip().await;
    assert_eq!(page.remaining("auth_success") + page.remaining("metrics"), 0);
}
