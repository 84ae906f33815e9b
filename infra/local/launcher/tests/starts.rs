//! The launcher with prebuilt binaries, and without a C compiler.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn launcher() -> Command {
    Command::new(env!("CARGO_BIN_EXE_nsl-start"))
}

#[test]
fn with_prebuilt_binaries_it_becomes_the_gateway() {
    let directory = std::env::temp_dir().join(format!("nsl-start-test-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let gateway = directory.join("nsl-gateway");
    fs::write(&gateway, "#!/bin/sh\necho \"$@\"\nexit 7\n").unwrap();
    fs::set_permissions(&gateway, fs::Permissions::from_mode(0o755)).unwrap();
    let output = launcher().arg("--memory").arg("--functions").arg(&directory).output().unwrap();
    fs::set_permissions(&gateway, fs::Permissions::from_mode(0o644)).unwrap();
    let not_executable = launcher().arg("--functions").arg(&directory).output().unwrap();
    fs::remove_dir_all(&directory).unwrap();

    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, format!("--memory --functions {}\n", directory.display()));
    assert_eq!(output.status.code(), Some(7), "the gateway's own exit code");
    assert!(!not_executable.status.success());
    let error = String::from_utf8(not_executable.stderr).unwrap();
    assert!(error.starts_with("nsl-start: cannot run") && error.lines().count() == 1, "{error}");
}

#[test]
fn missing_c_compiler_is_reported_before_the_build() {
    let output = launcher().env("PATH", "/nowhere").env_remove("CC").output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("nsl-start: no C compiler") && error.contains("apt install"), "{error}");
}
