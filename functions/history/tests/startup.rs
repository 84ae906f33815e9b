//! The binary names missing settings in one line, and handles an event under Lambda's emulator.

use nsl_test_support::{FunctionBinary, TestEnvironment, events};

const HISTORY: FunctionBinary = FunctionBinary {
    program: env!("CARGO_BIN_EXE_history"),
    variables: &["APPS_TABLE", "REPORTS_TABLE", "ROLLUPS_TABLE", "LOGS_TABLE", "WEBSOCKET_ADDRESS"],
};

#[tokio::test]
async fn startup_errors_name_the_setting() {
    HISTORY.assert_startup_errors(&[]).await;
}

#[tokio::test]
async fn binary_handles_an_event_under_lambda_emulator() {
    let env = TestEnvironment::start().await;
    let Some(emulator) = HISTORY.emulated(&env).await else { return };
    let event = events::http_call("GET /health", ("/health", ""), &[], &[], None);
    let response = emulator.invoke(&event).await;
    assert_eq!(response["statusCode"], 200, "{response}");
}
