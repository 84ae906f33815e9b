//! The binary names missing and invalid settings in one line, handles an event under Lambda's emulator, and logs little.

use nsl_domain::app::{App, KeyRecord};
use nsl_domain::ids::Scope;
use nsl_test_support::{FunctionBinary, LoggedEvent, TestEnvironment, events, fixtures};
use serde_json::json;

const SESSION: FunctionBinary = FunctionBinary {
    program: env!("CARGO_BIN_EXE_session"),
    variables: &[
        "APPS_TABLE",
        "CONNECTIONS_TABLE",
        "REPORTS_TABLE",
        "ROLLUPS_TABLE",
        "LOGS_TABLE",
        "METRICS_NAMESPACE",
        "TOKEN_AUDIENCE",
    ],
};

#[tokio::test]
async fn startup_errors_name_the_setting() {
    let invalid = [("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", ""), ("TOKEN_KEYS", "{}")];
    SESSION.assert_startup_errors(&invalid).await;
}

#[tokio::test]
async fn binary_handles_an_event_under_lambda_emulator() {
    let env = TestEnvironment::start().await;
    let Some(emulator) = SESSION.emulated(&env).await else { return };
    let event = events::connect("c1", &[], &[("role", "program")], fixtures::NOW_MS);
    let response = emulator.invoke(&event).await;
    assert_eq!(response["statusCode"], 200, "{response}");
    assert_eq!(env.rows("ConnectionsTable").await.len(), 1);
}

#[tokio::test]
async fn log_lines_and_calls_of_a_connection_are_bounded() {
    let key = format!("nehonix@{}.nsl", "a".repeat(64));
    let keys = vec![KeyRecord::of(&key, Scope::BOTH)];
    let env = TestEnvironment::with_app(&App { keys, ..fixtures::app("shop") }).await;
    let attached = [("role", "program"), ("sourceIp", "203.0.113.7")];
    let frame = |kind: &str, data: serde_json::Value| {
        let body = json!({"type": kind, "data": data}).to_string();
        events::message("c1", kind, &body, &attached, fixtures::NOW_MS)
    };
    let logged = |name, event, most_bytes| LoggedEvent { name, event, most_bytes };
    let wrong = "correct-horse-battery-staple";
    let events = [
        logged("$connect", events::connect("c1", &[], &attached, fixtures::NOW_MS), [0; 5]),
        logged(
            "a wrong auth",
            frame("auth", json!({"appId": "shop", "apiKey": wrong})),
            [0, 700, 700, 700, 700],
        ),
        logged("auth", frame("auth", json!({"appId": "shop", "apiKey": key})), [0; 5]),
        logged("subscribe", frame("subscribe", json!({"appId": "shop"})), [0; 5]),
        logged("$disconnect", events::disconnect("c1", &attached, fixtures::NOW_MS), [0, 0, 350, 350, 350]),
    ];
    let secrets = [key, wrong.to_owned(), TestEnvironment::TOKEN_SECRET.to_owned()];
    SESSION.assert_log_lines(&env, &events, &secrets).await;
    SESSION.assert_obeys_deadline(&env, &events[0].event).await;
}
