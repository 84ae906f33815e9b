//! The binary by itself: its help, and one clear line where it cannot start.

use std::process::{Command, Output};

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
fn nsl_load(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nsl-load")).args(arguments).env_clear().output().unwrap()
}

fn only_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn help_lists_what_can_be_asked() {
    let output = nsl_load(&["--help"]);
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    for flag in ["--ready-file", "--ws", "--apps", "--rate", "--as-answered", "--batch", "--ramp", "--json"] {
        assert!(help.contains(flag), "{flag} is missing:\n{help}");
    }
}

#[test]
fn missing_ready_file_is_told_in_one_line() {
    let line = only_line(&nsl_load(&["--ready-file", "/nonexistent/ready.json"]));
    assert!(line.contains("/nonexistent/ready.json"), "{line}");
}

#[test]
fn nobody_listening_is_told_in_one_line_as_refused() {
    let folder = std::env::temp_dir().join(format!("nsl-load-starts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let key = folder.join("app.key");
    std::fs::write(&key, "k\n").unwrap();
    // Port 1 is privileged and unused: nothing listens there.
    let arguments = ["--ws", "ws://127.0.0.1:1", "--app", "a", "--app-key-file", key.to_str().unwrap()];
    let line = only_line(&nsl_load(&arguments));
    std::fs::remove_dir_all(folder).unwrap();
    assert!(line.contains("1 of 1 subscribers were not let in (1 refused: nobody listens there)"), "{line}");
}
