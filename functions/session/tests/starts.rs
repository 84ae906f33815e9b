//! The binary says what it lacks or cannot use, in one structured line, and ends before its first event.

use std::process::Command;

use nsl_testbed::{Emulator, TestBed, events, refusal_to_start};

/// When the recorded event happened.
const AT_MS: i64 = 1_795_352_461_387;

const BINARY: &str = env!("CARGO_BIN_EXE_session");

/// The tables that it is told of, by variable.
const TABLES: [(&str, &str); 5] = [
    ("APPS_TABLE", "AppsTable"),
    ("CONNECTIONS_TABLE", "ConnectionsTable"),
    ("REPORTS_TABLE", "ReportsTable"),
    ("ROLLUPS_TABLE", "RollupsTable"),
    ("LOGS_TABLE", "LogsTable"),
];

/// What else it must be told.
const OTHERS: [(&str, &str); 2] = [("TOKEN_AUDIENCE", "nsl"), ("METRICS_NAMESPACE", "test")];

#[test]
fn without_settings_it_names_them_and_ends() {
    let output = Command::new(BINARY).env_clear().output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success());
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("APPS_TABLE is not set"), "{said}");
}

#[tokio::test]
async fn a_table_that_is_missing_is_named() {
    let bed = TestBed::start().await;
    let there: Vec<_> = TABLES.iter().map(|(variable, table)| (*variable, bed.table(table))).collect();
    for missing in 0..TABLES.len() {
        let mut variables: Vec<(&str, &str)> =
            there.iter().map(|(name, table)| (*name, table.as_str())).collect();
        variables[missing].1 = "no-such-table";
        variables.extend(OTHERS);
        let said = refusal_to_start(BINARY, &bed, &variables).await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("table no-such-table") && said[0].contains("ResourceNotFound"), "{said:?}");
    }
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_named() {
    let bed = TestBed::start().await;
    let variables: Vec<(&str, &str)> =
        TABLES.into_iter().chain(OTHERS).chain([("TOKEN_KEYS", "{}")]).collect();
    let said = refusal_to_start(BINARY, &bed, &variables).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("TOKEN_KEYS"), "{said:?}");
}

#[tokio::test]
async fn the_bootstrap_answers_under_lambdas_own_emulator() {
    let bed = TestBed::start().await;
    let tables: Vec<_> = TABLES.iter().map(|(variable, table)| (*variable, bed.table(table))).collect();
    let mut variables: Vec<(&str, &str)> =
        tables.iter().map(|(name, table)| (*name, table.as_str())).collect();
    variables.extend(OTHERS);
    let Some(emulator) = Emulator::start(BINARY, &bed, &variables).await else { return };
    let answer = emulator.invoke(&events::connect("c1", &[], &[("role", "program")], AT_MS)).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(bed.rows("ConnectionsTable").await.len(), 1);
}
