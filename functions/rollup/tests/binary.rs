//! The binary names missing and invalid settings in one line, handles an event under Lambda's emulator, and logs little.

use nsl_test_support::{FunctionBinary, LoggedEvent, TestEnvironment, fixtures};
use serde_json::json;

const ROLLUP: FunctionBinary = FunctionBinary {
    program: env!("CARGO_BIN_EXE_rollup"),
    variables: &["APPS_TABLE", "REPORTS_TABLE", "ROLLUPS_TABLE", "RAW_RETENTION_HOURS", "METRICS_NAMESPACE"],
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

#[tokio::test]
async fn log_lines_and_calls_of_a_batch_are_bounded() {
    let env = TestEnvironment::with_app(&fixtures::app("shop")).await;
    let now = nsl_aws::clock::now();
    let hour = &now.to_string()[..13];
    let record = |number: i64| {
        let at = now.ms() + number;
        let id = format!("{at:015}#web-1#44136fa355b3678a");
        json!({"eventName": "INSERT", "dynamodb": {"SequenceNumber": number.to_string(), "NewImage": {
            "pk": {"S": format!("shop#{hour}#0")}, "sk": {"S": id}, "appId": {"S": "shop"},
            "source": {"S": "web-1"}, "timestamp": {"N": at.to_string()}, "document": {"S": "{}"},
        }}})
    };
    let records: Vec<_> = (100..150).map(record).collect();
    let event = json!({ "Records": records });
    let batch = LoggedEvent { name: "a batch of 50 records", event, most_bytes: [0, 0, 450, 450, 450] };
    ROLLUP.assert_log_lines(&env, std::slice::from_ref(&batch), &[]).await;
    ROLLUP.assert_obeys_deadline(&env, &batch.event).await;
}
