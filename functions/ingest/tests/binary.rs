//! The binary names missing and invalid settings in one line, handles an event under Lambda's emulator, and logs little.

use nsl_aws::subscriptions::Subscriber;
use nsl_domain::dialect::Dialect;
use nsl_domain::grant::Role;
use nsl_domain::ids::{ConnectionId, Scope};
use nsl_test_support::{FunctionBinary, LoggedEvent, TestEnvironment, events, fixtures};
use serde_json::{Value, json};

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

#[tokio::test]
async fn log_lines_and_calls_of_a_frame_are_bounded() {
    let env = TestEnvironment::with_app(&fixtures::app("shop")).await;
    let viewer = Subscriber {
        connection: ConnectionId::new("viewer="),
        min_interval_ms: 0,
        dialect: Dialect::Modern,
        proof: fixtures::grant("shop", Scope::VIEW).stored_proof(),
    };
    env.sessions().open(&viewer.connection, Role::Program, &[], fixtures::now()).await.unwrap();
    env.subscriptions().add(&fixtures::id("shop"), &viewer, fixtures::now()).await.unwrap();
    let grant = fixtures::grant("shop", Scope::PUBLISH).to_text();
    let report = |value: usize| json!({"appId": "shop", "metrics": {"cpu": {"usage": value}}});
    let frame = |data: Value| {
        let body = json!({"type": "metrics", "data": data}).to_string();
        events::message("publisher=", "metrics", &body, &[("grant", &grant)], fixtures::NOW_MS)
    };
    let secret = fixtures::secret("shop");
    let events = [
        LoggedEvent {
            name: "a report with a viewer",
            event: frame(report(1)),
            most_bytes: [0, 0, 0, 350, 350],
        },
        LoggedEvent {
            name: "a batch of ten reports",
            event: frame((0..10).map(report).collect()),
            most_bytes: [0, 0, 0, 350, 350],
        },
        LoggedEvent {
            name: "a rejected frame",
            event: frame(json!({"appId": "shop", "apiKey": secret, "metrics": secret})),
            most_bytes: [250, 250, 650, 650, 650],
        },
    ];
    INGEST.assert_log_lines(&env, &events, &[secret]).await;
    assert_eq!(env.frames("viewer=").len(), 5 * 11, "every report was stored and posted");
    INGEST.assert_obeys_deadline(&env, &events[0].event).await;
}
