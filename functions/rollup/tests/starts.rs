//! The binary says what it lacks, in one line, and ends.

use std::process::Command;

#[test]
fn without_settings_it_names_them_and_ends() {
    let output = Command::new(env!("CARGO_BIN_EXE_rollup")).env_clear().output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success());
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("ROLLUPS_TABLE is not set"), "{said}");
}
