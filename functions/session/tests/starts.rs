//! The binary says what it lacks or cannot use, in one structured line, and ends before its first event.

use std::net::TcpListener;

use nsl_test_support::{FunctionBinary, TestEnvironment, events};

/// When the recorded event happened.
const AT_MS: i64 = 1_795_352_461_387;

/// Where the SDK looks for the WebSocket API.
const CONNECTIONS: &str = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI";

/// The binary, whose connections are at an address that takes calls and never answers: it has nothing to say of them
/// before it ends.
fn bootstrap() -> std::io::Result<FunctionBinary> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let address = silent.local_addr()?;
    let endpoint = format!("http://{address}/live");
    Box::leak(Box::new(silent));
    Ok(FunctionBinary {
        program: env!("CARGO_BIN_EXE_session"),
        tables: &[
            ("APPS_TABLE", "AppsTable"),
            ("CONNECTIONS_TABLE", "ConnectionsTable"),
            ("REPORTS_TABLE", "ReportsTable"),
            ("ROLLUPS_TABLE", "RollupsTable"),
            ("LOGS_TABLE", "LogsTable"),
        ],
        others: vec![
            ("TOKEN_AUDIENCE", "nsl"),
            ("METRICS_NAMESPACE", "test"),
            (CONNECTIONS, endpoint.leak()),
        ]
        .leak(),
    })
}

#[tokio::test]
async fn without_settings_it_names_them_and_ends() {
    let said = bootstrap().unwrap().startup_error_without_settings().await;
    assert!(said.contains("APPS_TABLE is not set"), "{said}");
}

#[tokio::test]
async fn without_the_connections_endpoint_it_says_so_and_ends() {
    let said = bootstrap().unwrap().startup_error_with((CONNECTIONS, "")).await;
    assert!(said.contains("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI is not set"), "{said}");
    assert!(said.contains("\"timestamp\":\""), "{said}");
}

#[tokio::test]
async fn a_table_that_is_missing_is_named() {
    bootstrap().unwrap().assert_names_each_missing_table().await;
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_named() {
    let said = bootstrap().unwrap().startup_error_with(("TOKEN_KEYS", "{}")).await;
    assert!(said.contains("TOKEN_KEYS"), "{said}");
}

#[tokio::test]
async fn the_bootstrap_answers_under_lambdas_own_emulator() {
    let env = TestEnvironment::start().await;
    let Some(emulator) = bootstrap().unwrap().emulated(&env).await else { return };
    let answer = emulator.invoke(&events::connect("c1", &[], &[("role", "program")], AT_MS)).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(env.rows("ConnectionsTable").await.len(), 1);
}
