//! The binary by itself: its help, and one clear line where it cannot start.

use std::process::{Command, Output};

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
fn nsl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nsl")).args(arguments).env_clear().output().unwrap()
}

fn stderr_lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect()
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
fn missing_ready_file_is_told_in_one_line() {
    for command in ["agent", "tail", "send", "history", "status", "app list", "app create"] {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.extend(["--local", "/nonexistent/ready.json"]);
        let output = nsl(&arguments);
        let lines = stderr_lines(&output);
        assert!(!output.status.success());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("/nonexistent/ready.json"), "{lines:?}");
    }
}

#[test]
fn no_service_named_is_told_in_one_line() {
    for command in [["tail", "demo"].as_slice(), &["app", "list", "--owner", "ann"]] {
        let output = nsl(command);
        let lines = stderr_lines(&output);
        assert!(!output.status.success());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("--local"), "{lines:?}");
    }
}
