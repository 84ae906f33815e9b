//! The binary names missing and invalid settings in one line, and handles an event under Lambda's emulator.

use nsl_test_support::{FunctionBinary, TestEnvironment, events};

const AUTHORIZE: FunctionBinary =
    FunctionBinary { program: env!("CARGO_BIN_EXE_authorize"), variables: &["APPS_TABLE", "TOKEN_AUDIENCE"] };

#[tokio::test]
async fn startup_errors_name_the_setting() {
    AUTHORIZE.assert_startup_errors(&[("TOKEN_KEYS", "{}")]).await;
}

#[tokio::test]
async fn binary_handles_an_event_under_lambda_emulator() {
    let env = TestEnvironment::start().await;
    let Some(emulator) = AUTHORIZE.emulated(&env).await else { return };
    let response = emulator.invoke(&events::handshake(&[], &[])).await;
    assert_eq!(response["policyDocument"]["Statement"][0]["Effect"], "Allow", "{response}");
}
