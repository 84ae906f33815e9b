//! The binary names missing settings in one line, handles an event under Lambda's emulator, and logs little.

use nsl_domain::ids::Scope;
use nsl_test_support::{FunctionBinary, LoggedEvent, TestEnvironment, events, fixtures};

const HISTORY: FunctionBinary = FunctionBinary {
    program: env!("CARGO_BIN_EXE_history"),
    variables: &[
        "APPS_TABLE",
        "REPORTS_TABLE",
        "ROLLUPS_TABLE",
        "LOGS_TABLE",
        "WEBSOCKET_ADDRESS",
        "METRICS_NAMESPACE",
    ],
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

#[tokio::test]
async fn log_lines_and_calls_of_a_query_are_bounded() {
    let env = TestEnvironment::with_app(&fixtures::app("shop")).await;
    let grant = fixtures::grant("shop", Scope::VIEW).to_text();
    let secret = fixtures::secret("shop");
    let bearer = format!("Bearer {secret}");
    let call = |query: &str| {
        let route = "GET /apps/{appId}/metrics";
        let path = ("/apps/shop/metrics", query);
        let headers = [("authorization", bearer.as_str())];
        events::http_call(route, path, &[("appId", "shop")], &headers, Some(&[("grant", &grant)]))
    };
    let logged = |name, event| LoggedEvent { name, event, most_bytes: [0; 5] };
    let events =
        [logged("a query", call("timeRange=hour")), logged("a rejected query", call("timeRange=never"))];
    HISTORY.assert_log_lines(&env, &events, &[secret]).await;
    HISTORY.assert_obeys_deadline(&env, &events[0].event).await;
}
