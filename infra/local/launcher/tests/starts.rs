//! The launcher with prebuilt binaries: it becomes the gateway, or tells in one line why not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn with_prebuilt_binaries_it_becomes_the_gateway_with_the_same_arguments() {
    let directory = std::env::temp_dir().join(format!("nsl-start-test-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let gateway = directory.join("nsl-gateway");
    fs::write(&gateway, "#!/bin/sh\necho \"$@\"\nexit 7\n").unwrap();
    fs::set_permissions(&gateway, fs::Permissions::from_mode(0o755)).unwrap();
    let mut launcher = Command::new(env!("CARGO_BIN_EXE_nsl-start"));
    let output = launcher.arg("--memory").arg("--functions").arg(&directory).output().unwrap();
    fs::set_permissions(&gateway, fs::Permissions::from_mode(0o644)).unwrap();
    let mut launcher = Command::new(env!("CARGO_BIN_EXE_nsl-start"));
    let refused = launcher.arg("--functions").arg(&directory).output().unwrap();
    fs::remove_dir_all(&directory).unwrap();

    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, format!("--memory --functions {}\n", directory.display()));
    assert_eq!(output.status.code(), Some(7), "the gateway's own exit code");
    assert!(!refused.status.success());
    let fault = String::from_utf8(refused.stderr).unwrap();
    assert!(fault.starts_with("nsl-start: cannot run") && fault.lines().count() == 1, "{fault}");
}
