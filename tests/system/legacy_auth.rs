//! Authentication of the published library and its dashboard, which have no secret.
//! `credentials` has what fails, `drop_in` what the models do after it.

use serde_json::json;

use crate::system::harness::{App, Client, DASHBOARD, legacy_frame, metrics_frame, nsl, shared_legacy_app};

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
async fn page_of_an_inactive_app_gets_one_notice_and_its_library_is_welcomed() {
    let (gateway, app) = shared_legacy_app().await;
    nsl(gateway, &["app", "deactivate", &app.app_id]).await;
    let mut page = Client::open_with(gateway, &[("origin", DASHBOARD)]).await.expect("a page may connect");
    for kind in ["auth", "check_status"] {
        page.send(&legacy_frame(kind, &app)).await;
    }
    let status = page.next("status_response").await["payload"].take();
    assert_eq!((&status["success"], &status["status"]["appIsActive"]), (&json!(false), &json!(false)));
    page.round_trip().await;
    assert_eq!(page.remaining("status_response") + page.remaining("auth_error"), 0, "it got two notices");

    let mut library = Client::legacy(gateway, &app, None).await;
    let notice = library.next("command").await;
    assert!(
        notice["data"]["type"].as_str().is_some_and(|text| text.starts_with("NSL: the app is switched off"))
    );
    nsl(gateway, &["app", "activate", &app.app_id]).await;
    let mut viewer = Client::viewer(gateway, &app).await;
    let mut report = metrics_frame(&app, "m", json!({"n": 1}));
    report["type"] = json!("send_metrics");
    library.send(&report).await;
    viewer.next_report(1).await;
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
        let notice = library.next("command").await;
        let text = notice["data"]["type"].as_str().expect("a command has a type");
        assert!(text.starts_with("NSL: these ids open no app here"), "{notice}");
        library.round_trip().await;
        Client::authenticated(gateway, app).await.publish(app, 2).await;
        viewer.next_report(2).await;
        assert_eq!(viewer.remaining("metrics"), 0, "an unauthenticated report was delivered");
        assert_eq!(library.remaining("command") + library.remaining("error"), 0, "it was notified again");
        assert_eq!(library.remaining("auth_success"), 0, "{user} was authenticated");
        assert_eq!(library.remaining("auth_error"), 0, "the library throws on auth_error");
    }
}
