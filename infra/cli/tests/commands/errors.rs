//! Help, and errors in one line.

use std::process::{Command, Output};

fn nsl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nsl")).args(arguments).env_clear().output().unwrap()
}

fn only_line(arguments: &[&str]) -> String {
    let output = nsl(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn help_lists_the_commands() {
    let output = nsl(&["--help"]);
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    for command in ["agent", "app", "history", "send", "status", "tail"] {
        assert!(help.contains(&format!("\n  {command}")), "{command} is missing:\n{help}");
    }
}

#[test]
fn missing_ready_file_is_an_error_with_advice() {
    for command in ["agent", "tail", "send", "history", "status", "app list", "app create"] {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.extend(["--local", "/nonexistent/ready.json"]);
        let line = only_line(&arguments);
        assert!(line.contains("/nonexistent/ready.json") && line.contains("cargo run"), "{line}");
    }
}

#[test]
fn missing_service_is_an_error_with_advice() {
    for command in [["tail", "demo"].as_slice(), &["app", "list", "--owner", "ann"]] {
        let line = only_line(command);
        assert!(line.contains("--local"), "{line}");
    }
}
