//! The binary says what it lacks or cannot use, in one structured line, and ends before its first event.

use nsl_test_support::{FunctionBinary, TestEnvironment, events};

const BOOTSTRAP: FunctionBinary = FunctionBinary {
    program: env!("CARGO_BIN_EXE_authorize"),
    tables: &[("APPS_TABLE", "AppsTable")],
    others: &[("ALLOWED_ORIGINS", "http://localhost"), ("TOKEN_AUDIENCE", "nsl")],
};

#[tokio::test]
async fn without_settings_it_names_them_and_ends() {
    let said = BOOTSTRAP.startup_error_without_settings().await;
    assert!(said.contains("APPS_TABLE is not set"), "{said}");
}

#[tokio::test]
async fn a_table_that_is_missing_is_named() {
    BOOTSTRAP.assert_names_each_missing_table().await;
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_named() {
    let said = BOOTSTRAP.startup_error_with(("TOKEN_KEYS", "{}")).await;
    assert!(said.contains("TOKEN_KEYS"), "{said}");
}

#[tokio::test]
async fn the_bootstrap_answers_under_lambdas_own_emulator() {
    let env = TestEnvironment::start().await;
    let Some(emulator) = BOOTSTRAP.emulated(&env).await else { return };
    let answer = emulator.invoke(&events::handshake(&[], &[])).await;
    assert_eq!(answer["policyDocument"]["Statement"][0]["Effect"], "Allow", "{answer}");
}
