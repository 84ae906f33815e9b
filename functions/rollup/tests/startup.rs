//! The binary names missing and invalid settings in one line, and handles an event under Lambda's emulator.

use nsl_test_support::{FunctionBinary, TestEnvironment};
use serde_json::json;

const ROLLUP: FunctionBinary = FunctionBinary {
    program: env!("CARGO_BIN_EXE_rollup"),
    variables: &["APPS_TABLE", "REPORTS_TABLE", "ROLLUPS_TABLE", "RAW_RETENTION_HOURS"],
};

#[tokio::test]
async fn startup_errors_name_the_setting() {
    ROLLUP.assert_startup_errors(&[("RAW_RETENTION_HOURS", "many")]).await;
}

#[tokio::test]
async fn binary_handles_an_event_under_lambda_emulator() {
    let env = TestEnvironment::start().await;
    let Some(emulator) = ROLLUP.emulated(&env).await else { return };
    let record = json!({"eventName": "INSERT", "dynamodb": {"SequenceNumber": "111", "NewImage": {}}});
    let response = emulator.invoke(&json!({ "Records": [record] })).await;
    assert_eq!(response, json!({"batchItemFailures": []}));
    let [row] = &env.rows("RollupsTable").await[..] else { panic!("the malformed record is set aside") };
    assert_eq!(row["sk"]["S"], "111");
}
