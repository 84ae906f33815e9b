//! The binary names missing and invalid settings in one line, and handles an event under Lambda's emulator.

use nsl_test_support::{FunctionBinary, TestEnvironment, events, fixtures};

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
