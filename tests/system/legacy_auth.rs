//! Authentication of the published library and its dashboard, which have no secret.
//! `credentials` has what fails, `drop_in` what the models do after it.

use serde_json::json;

use crate::system::harness::{App, Client, DASHBOARD, metrics_frame, shared_legacy_app};

#[tokio::test]
async fn library_publishes_and_allowed_page_only_views() {
    let (gateway, app) = shared_legacy_app().await;
    let mut page = Client::legacy(gateway, &app, Some(DASHBOARD)).await;
    let metrics = json!({"cpu": {"usage": 12.5}, "memory": {"used": 1, "total": 2}});
    let mut report = metrics_frame(&app, "m", metrics.clone());
    report["type"] = json!("send_metrics");
    // Kept open until the report is delivered: a report that is read after `$disconnect` is rejected.
    let mut library = Client::legacy(gateway, &app, None).await;
    library.send(&report).await;
    let payload = page.next("metrics").await["payload"].take();
    assert_eq!(payload["cpu"], metrics["cpu"], "the dashboard reads the payload flat: {payload}");
    assert_eq!((&payload["memory"], &payload["metrics"]), (&metrics["memory"], &metrics));

    page.send(&report).await;
    page.round_trip().await;
    Client::authenticated(gateway, &app).await.publish(&app, 2).await;
    page.next_where("the next report", |frame| frame["payload"]["n"] == 2).await;
    assert_eq!(page.remaining("metrics"), 0, "a page published");
}

#[tokio::test]
async fn legacy_auth_fails_without_the_legacy_flag() {
    let (gateway, legacy) = shared_legacy_app().await;
    let modern = App::create(gateway).await;
    for (app, user) in [(&modern, modern.user_id.as_str()), (&legacy, "nehonix_other")] {
        let mut viewer = Client::viewer(gateway, app).await;
        let mut library = Client::open(gateway).await;
        for kind in ["auth", "send_metrics"] {
            let data = json!({"userId": user, "appId": app.app_id, "metrics": {"n": 1}});
            library.send(&json!({"type": kind, "data": data})).await;
        }
        library.round_trip().await;
        Client::authenticated(gateway, app).await.publish(app, 2).await;
        viewer.next_report(2).await;
        assert_eq!(viewer.remaining("metrics"), 0, "an unauthenticated report was delivered");
        assert_eq!(library.remaining("auth_success"), 0, "{user} was authenticated");
        assert_eq!(library.remaining("auth_error"), 0, "the library throws on auth_error");
    }
}
