//! The binary says what it lacks or cannot use, in one structured line, and ends before its first event.

use nsl_test_support::{FunctionBinary, TestEnvironment};
use serde_json::json;

const BOOTSTRAP: FunctionBinary = FunctionBinary {
    program: env!("CARGO_BIN_EXE_rollup"),
    tables: &[
        ("APPS_TABLE", "AppsTable"),
        ("REPORTS_TABLE", "ReportsTable"),
        ("ROLLUPS_TABLE", "RollupsTable"),
    ],
    others: &[("RAW_RETENTION_HOURS", "48")],
};

#[tokio::test]
async fn without_settings_it_names_them_and_ends() {
    let said = BOOTSTRAP.startup_error_without_settings().await;
    assert!(said.contains("ROLLUPS_TABLE is not set"), "{said}");
}

#[tokio::test]
async fn a_table_that_is_missing_is_named() {
    BOOTSTRAP.assert_names_each_missing_table().await;
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_named() {
    let said = BOOTSTRAP.startup_error_with(("RAW_RETENTION_HOURS", "many")).await;
    assert!(said.contains("RAW_RETENTION_HOURS"), "{said}");
}

#[tokio::test]
async fn the_bootstrap_answers_under_lambdas_own_emulator() {
    let env = TestEnvironment::start().await;
    let Some(emulator) = BOOTSTRAP.emulated(&env).await else { return };
    let record = json!({"eventName": "INSERT", "dynamodb": {"SequenceNumber": "111", "NewImage": {}}});
    let answer = emulator.invoke(&json!({ "Records": [record] })).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let [row] = &env.rows("RollupsTable").await[..] else { panic!("the malformed record is set aside") };
    assert_eq!(row["sk"]["S"], "111");
}
