//! The binary names missing and invalid settings in one line, and handles an event under Lambda's emulator.

use nsl_test_support::{FunctionBinary, TestEnvironment, events, fixtures};

const INGEST: FunctionBinary = FunctionBinary {
    program: env!("CARGO_BIN_EXE_ingest"),
    variables: &[
        "APPS_TABLE",
        "CONNECTIONS_TABLE",
        "REPORTS_TABLE",
        "METRICS_NAMESPACE",
        "RAW_RETENTION_HOURS",
    ],
};

#[tokio::test]
async fn startup_errors_name_the_setting() {
    let invalid = [("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", ""), ("RAW_RETENTION_HOURS", "47")];
    INGEST.assert_startup_errors(&invalid).await;
}

#[tokio::test]
async fn binary_handles_an_event_under_lambda_emulator() {
    let env = TestEnvironment::start().await;
    let Some(emulator) = INGEST.emulated(&env).await else { return };
    let frame = r#"{"type":"metrics","id":7,"data":{"appId":"shop","metrics":{"n":1}}}"#;
    let event = events::message("c1", "metrics", frame, &[("role", "program")], fixtures::NOW_MS);
    let response = emulator.invoke(&event).await;
    assert_eq!(response["statusCode"], 200, "{response}");
    assert_eq!(env.frames("c1")[0]["payload"]["code"], "unauthorized");
}
