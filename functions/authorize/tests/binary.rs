//! The binary names missing and invalid settings in one line, handles an event under Lambda's emulator, and logs little.

use nsl_domain::app::{App, KeyRecord};
use nsl_domain::ids::Scope;
use nsl_test_support::{FunctionBinary, LoggedEvent, TestEnvironment, events, fixtures};

const AUTHORIZE: FunctionBinary = FunctionBinary {
    program: env!("CARGO_BIN_EXE_authorize"),
    variables: &["APPS_TABLE", "TOKEN_AUDIENCE", "METRICS_NAMESPACE"],
};

#[tokio::test]
async fn startup_errors_name_the_setting() {
    AUTHORIZE.assert_startup_errors(&[("TOKEN_KEYS", "{}")]).await;
}

#[tokio::test]
async fn failed_start_is_counted() {
    let env = TestEnvironment::start().await;
    let printed = AUTHORIZE.failed_start(&env, ("TOKEN_KEYS", "{}")).await;
    assert!(printed.lines().any(|line| line.contains("\"AuthorizeFaults\":1")), "{printed}");
}

#[tokio::test]
async fn binary_handles_an_event_under_lambda_emulator() {
    let env = TestEnvironment::start().await;
    let Some(emulator) = AUTHORIZE.emulated(&env).await else { return };
    let response = emulator.invoke(&events::handshake(&[], &[])).await;
    assert_eq!(response["policyDocument"]["Statement"][0]["Effect"], "Allow", "{response}");
}

#[tokio::test]
async fn log_lines_and_calls_of_a_handshake_are_bounded() {
    let key = |digit: &str| format!("nehonix@{}.nsl", digit.repeat(64));
    let (right, wrong) = (key("a"), key("b"));
    let keys = vec![KeyRecord::of(&right, Scope::BOTH)];
    let env = TestEnvironment::with_app(&App { keys, ..fixtures::app("shop") }).await;
    let accepted = [0; 5];
    let refused = [0, 400, 400, 400, 400];
    let logged = |name, event, most_bytes| LoggedEvent { name, event, most_bytes };
    let bearer = |key: &str| format!("Bearer {key}");
    let events = [
        logged("a handshake", events::handshake(&[("x-api-key", &right)], &[]), accepted),
        logged(
            "an authorised call",
            events::http_authorizer(&[("authorization", &bearer(&right))]),
            accepted,
        ),
        logged("a refused handshake", events::handshake(&[], &[("apiKey", &wrong)]), refused),
        logged(
            "a refused token",
            events::handshake(&[("authorization", "Bearer e30.e30.c2VjcmV0")], &[]),
            refused,
        ),
        logged("a refused call", events::http_authorizer(&[("authorization", &bearer(&wrong))]), refused),
    ];
    let secrets = [right, wrong, "c2VjcmV0".to_owned(), TestEnvironment::TOKEN_SECRET.to_owned()];
    AUTHORIZE.assert_log_lines(&env, &events, &secrets).await;
    AUTHORIZE.assert_obeys_deadline(&env, &events[0].event).await;
}
