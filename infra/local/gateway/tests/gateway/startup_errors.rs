//! Startup errors: one clear line each, and an exit code.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::harness::{Gateway, Scratch, command, fixture};

/// The line with which startup fails.
fn error(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let last = stderr.lines().last().unwrap().to_owned();
    assert!(last.starts_with("nsl-gateway: "), "{stderr}");
    last
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_nsl-gateway"))
}

#[test]
fn missing_template_is_one_line() {
    let mut missing = program();
    missing.args(["--memory", "--template", "/nowhere/template.yaml"]);
    let output = missing.output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
    assert!(error(missing).contains("cannot read the template /nowhere/template.yaml"));
}

#[test]
fn missing_binary_names_the_function() {
    let scratch = Scratch::new();
    std::fs::remove_file(scratch.path("bin/echo_function")).unwrap();
    let line = error(command(&scratch, &fixture(), &[]));
    assert!(line.contains("function Brief has no binary") && line.contains("--functions DIR"), "{line}");
}

#[test]
fn failed_initialisation_shows_the_functions_output() {
    let scratch = Scratch::new();
    std::fs::remove_file(scratch.path("bin/echo_function")).unwrap();
    scratch.script("echo_function", "#!/bin/sh\necho 'APPS_TABLE is not set' >&2\nexit 7\n");
    let line = error(command(&scratch, &fixture(), &[]));
    assert!(line.contains("failed to start") && line.contains("APPS_TABLE is not set"), "{line}");
    assert!(line.contains("exit status: 7"), "{line}");
}

#[test]
fn failed_tool_shows_its_error() {
    let scratch = Scratch::new();
    scratch.script("nsl", "#!/bin/sh\necho 'no such flag' >&2\nexit 1\n");
    assert!(error(command(&scratch, &fixture(), &[])).contains("no such flag"));
}

#[test]
fn folder_that_others_can_write_is_refused() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path("data")).unwrap();
    std::fs::set_permissions(scratch.path("data"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let line = error(command(&scratch, &fixture(), &["--data", "data"]));
    assert!(line.contains("other users can replace files") && line.contains("--data DIR"), "{line}");
}

#[test]
fn port_in_use_names_its_flag() {
    let gateway = Gateway::start(&[]);
    let taken = gateway.address("ws").replace("ws://", "");
    let mut second = program();
    second.current_dir(gateway.scratch.path("."));
    second.args(["--memory", "--http", "127.0.0.1:0", "--functions", "bin", "--ws", &taken]);
    let line = error(second);
    assert!(line.contains("is in use") && line.contains(&taken) && line.contains("--ws ADDR"), "{line}");
    let (_, port) = taken.rsplit_once(':').unwrap();
    assert!(line.matches(&format!(":{port}")).count() > 1, "how to find it: {line}");
}
