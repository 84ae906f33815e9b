//! Frames of the library and its dashboard other than reports: logs, history, status, commands and endless repeats.
//! The frames of the library are recorded ones; docs/PROTOCOL.md has the replies.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::system::harness::{
    App, Client, DASHBOARD, FOREIGN_ORIGIN, legacy_frame as frame, recorded_other_frames, shared_legacy_app,
};

#[tokio::test]
async fn recorded_library_frames_get_compatible_replies() {
    let (gateway, app) = shared_legacy_app().await;
    let mut watcher = Client::legacy(gateway, &app, Some(DASHBOARD)).await;
    let mut modern = Client::viewer(gateway, &app).await;
    let mut library = Client::open(gateway).await;
    let mut logged = Vec::new();
    for frame in recorded_other_frames(&app) {
        library.send(&frame).await;
        match frame["type"].as_str() {
            Some("auth") => drop(library.next("auth_success").await),
            Some("history") => {
                let answer = library.next("request_history").await;
                assert!(answer["payload"]["logs"].is_array(), "the library reads payload.logs: {answer}");
            }
            Some("logs") => {
                let entries = frame["data"]["logs"].clone();
                assert_eq!(watcher.next("logs").await["payload"], entries, "the dashboard maps the payload");
                assert_eq!(modern.next("logs").await["payload"], entries);
                logged.extend(entries.as_array().expect("entries").clone());
            }
            other => panic!("{other:?} was recorded"),
        }
    }
    library.round_trip().await;
    // Each of these crashes the library, or is an error that it must not get.
    for incompatible in ["auth_error", "clear", "error", "logs", "history", "command"] {
        assert_eq!(library.remaining(incompatible), 0, "{incompatible} was sent");
    }
    watcher.send(&frame("history", &app)).await;
    assert_eq!(watcher.next("history").await["payload"], json!(logged));
    let path = format!("/apps/{}/logs?timeRange=day", app.app_id);
    let answer = gateway.json_where(&path, &app, |answer| answer["logs"] == json!(logged)).await;
    assert_eq!((&answer["complete"], &answer["timeRange"]), (&json!(true), &json!("day")));
}

#[tokio::test]
async fn status_is_shown_only_to_the_owner() {
    let (gateway, legacy) = shared_legacy_app().await;
    let modern = App::create(gateway).await;
    let ask = async |origin: &str, user: &str, app: &str| {
        let mut page = Client::open_with(gateway, &[("origin", origin)]).await.expect("a page connects");
        page.send(&json!({"type": "check_status", "data": {"userId": user, "appId": app}})).await;
        page.next("status_response").await["payload"].take()
    };
    let good = ask(DASHBOARD, &legacy.user_id, &legacy.app_id).await;
    assert_eq!((&good["success"], &good["status"]["appIsActive"]), (&json!(true), &json!(true)));
    let unknown = ask(DASHBOARD, "unknown", "nowhere").await;
    assert_eq!((&unknown["success"], &unknown["status"]["appExists"]), (&json!(false), &json!(false)));
    for (origin, user, app) in [
        (DASHBOARD, "nehonix_other", legacy.app_id.as_str()),
        (DASHBOARD, modern.user_id.as_str(), modern.app_id.as_str()),
        (FOREIGN_ORIGIN, legacy.user_id.as_str(), legacy.app_id.as_str()),
    ] {
        assert_eq!(ask(origin, user, app).await, unknown, "{origin} {user} {app}");
    }
}

#[tokio::test]
async fn command_of_the_page_reaches_the_library_and_persists() {
    let (gateway, app) = shared_legacy_app().await;
    let mut page = Client::legacy(gateway, &app, Some(DASHBOARD)).await;
    let mut library = Client::legacy(gateway, &app, None).await;
    let switch = json!({"type": "console_toggle", "data": {"enabled": false}});
    let mut command = frame("command", &app);
    command["data"]["type"] = switch["type"].clone();
    command["data"]["data"] = switch["data"].clone();
    page.send(&command).await;
    assert_eq!(library.next("command").await["data"], switch, "the library reads data.data.enabled");
    let response = page.next("command_response").await;
    assert_eq!((&response["payload"]["success"], &response["payload"]["data"]), (&json!(true), &switch));
    page.send(&json!({"type": "get_last_actions"})).await;
    let actions = page.next("get_last_actions").await["payload"].take();
    assert_eq!(
        (&actions[0]["data"]["type"], &actions[0]["data"]["data"]),
        (&switch["type"], &switch["data"])
    );

    library.send(&command).await;
    library.round_trip().await;
    assert_eq!(library.remaining("command"), 0, "a publisher may not send commands");
}

#[tokio::test]
async fn repeated_requests_of_a_page_get_one_reply() {
    let (gateway, app) = shared_legacy_app().await;
    let mut page = Client::legacy(gateway, &app, Some(DASHBOARD)).await;
    for _ in 0..3 {
        for kind in ["auth", "check_status", "get_last_actions", "history", "clear"] {
            page.send(&frame(kind, &app)).await;
        }
    }
    page.next("status_response").await;
    page.next("get_last_actions").await;
    page.next("history").await;
    page.round_trip().await;
    for kind in
        ["auth_success", "auth_error", "status_response", "get_last_actions", "history", "clear", "error"]
    {
        assert_eq!(page.remaining(kind), 0, "{kind} came again");
    }
}

#[tokio::test]
async fn flooding_page_is_closed_flooding_process_is_not() {
    let (gateway, app) = shared_legacy_app().await;
    let mut library = Client::legacy(gateway, &app, None).await;
    let mut page = Client::legacy(gateway, &app, Some(DASHBOARD)).await;
    let flood = frame("clear", &app).to_string();
    // More frames than it takes until one instance of the function closes the connection.
    for _ in 0..300 {
        library.send_text(&flood).await;
        if !page.try_send_message(Message::text(flood.as_str())).await {
            break;
        }
    }
    page.close_code().await;
    library.round_trip().await;
    assert!(library.is_open());
}

#[tokio::test]
async fn malformed_legacy_frames_get_no_reply() {
    let (gateway, app) = shared_legacy_app().await;
    let (_, other) = shared_legacy_app().await;
    let mut watcher = Client::legacy(gateway, &other, Some(DASHBOARD)).await;
    let mut claimant = Client::legacy(gateway, &app, Some(DASHBOARD)).await;
    let mut early = Client::open(gateway).await;
    let mut library = Client::legacy(gateway, &app, None).await;
    let logs = |app: &App| {
        let mut logs = frame("logs", app);
        logs["data"]["logs"] = json!([{"level": "info", "message": "mine"}]);
        logs
    };
    let mut foreign = logs(&other);
    foreign["data"]["userId"] = json!("nehonix_unknown");
    early.send(&foreign).await;
    library.send(&logs(&other)).await;
    claimant.send(&logs(&app)).await;
    for kind in
        ["logs", "history", "command", "request_metrics", "get_last_actions", "filter", "request_history"]
    {
        for wrong in [json!(null), json!([]), json!("x"), json!({"appId": 7, "userId": true, "logs": 7})] {
            let wrong = json!({"type": kind, "data": wrong});
            early.send(&wrong).await;
            if kind == "logs" {
                library.send(&wrong).await;
            }
        }
    }
    for client in [&mut early, &mut library, &mut claimant] {
        client.round_trip().await;
        assert_eq!(client.remaining("error"), 0);
    }
    watcher.round_trip().await;
    assert_eq!(watcher.remaining("logs"), 0, "unauthorized logs were relayed");
    library.send(&logs(&app)).await;
    claimant.next("logs").await;
    assert_eq!(claimant.remaining("logs"), 0, "a page published logs");
}
