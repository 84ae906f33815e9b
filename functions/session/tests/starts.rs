//! The binary says what it lacks or cannot use, in one structured line, and ends before its first event.

use nsl_testbed::{Bootstrap, TestBed, events};

/// When the recorded event happened.
const AT_MS: i64 = 1_795_352_461_387;

const BOOTSTRAP: Bootstrap = Bootstrap {
    program: env!("CARGO_BIN_EXE_session"),
    tables: &[
        ("APPS_TABLE", "AppsTable"),
        ("CONNECTIONS_TABLE", "ConnectionsTable"),
        ("REPORTS_TABLE", "ReportsTable"),
        ("ROLLUPS_TABLE", "RollupsTable"),
        ("LOGS_TABLE", "LogsTable"),
    ],
    others: &[("TOKEN_AUDIENCE", "nsl"), ("METRICS_NAMESPACE", "test")],
};

#[tokio::test]
async fn without_settings_it_names_them_and_ends() {
    let said = BOOTSTRAP.refusal_without_settings().await;
    assert!(said.contains("APPS_TABLE is not set"), "{said}");
}

#[tokio::test]
async fn a_table_that_is_missing_is_named() {
    BOOTSTRAP.names_each_missing_table().await;
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_named() {
    let said = BOOTSTRAP.refusal_of(("TOKEN_KEYS", "{}")).await;
    assert!(said.contains("TOKEN_KEYS"), "{said}");
}

#[tokio::test]
async fn the_bootstrap_answers_under_lambdas_own_emulator() {
    let bed = TestBed::start().await;
    let Some(emulator) = BOOTSTRAP.emulated(&bed).await else { return };
    let answer = emulator.invoke(&events::connect("c1", &[], &[("role", "program")], AT_MS)).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(bed.rows("ConnectionsTable").await.len(), 1);
}
