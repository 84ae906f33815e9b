//! `cargo run`: builds everything with one cargo call, progress visible, then becomes the gateway.
//!
//! It has no dependencies, so that it compiles in a second and cargo's own progress is the first thing to be seen.
//! The build is always of the whole workspace: another selection of packages would mean other features and the SDK
//! compiled again.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The program that this one becomes.
const GATEWAY: &str = "nsl-gateway";
/// Names the directory of prebuilt binaries.
const FUNCTIONS: &str = "--functions";

fn main() -> ExitCode {
    let fault = match start() {
        Ok(never) => match never {},
        Err(fault) => fault,
    };
    // Without stderr there is nobody to tell.
    drop(writeln!(std::io::stderr(), "nsl-start: {fault}"));
    ExitCode::FAILURE
}

fn start() -> Result<std::convert::Infallible, String> {
    let program = std::env::current_exe().map_err(|fault| format!("cannot tell where it is: {fault}"))?;
    let own = program.parent().ok_or("it has no directory")?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let prebuilt = functions(&arguments);
    let gateway = match prebuilt.as_deref().and_then(|given| find(given, own)) {
        Some(gateway) => gateway,
        None => {
            build(own)?;
            own.join(GATEWAY)
        }
    };
    let mut command = Command::new(&gateway);
    if prebuilt.is_none() {
        command.arg(FUNCTIONS).arg(own);
    }
    let fault = command.args(&arguments).exec();
    Err(format!("cannot run {}: {fault}", gateway.display()))
}

/// The directory that `--functions` names, if it is given.
fn functions(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == FUNCTIONS {
            return Some(arguments.next().map(PathBuf::from).unwrap_or_default());
        }
        let joined = argument.to_str().and_then(|text| text.strip_prefix(FUNCTIONS)?.strip_prefix('='));
        if let Some(directory) = joined {
            return Some(PathBuf::from(directory));
        }
    }
    None
}

/// The gateway among the prebuilt binaries, else beside this program.
fn find(given: &Path, own: &Path) -> Option<PathBuf> {
    [given, own].into_iter().map(|directory| directory.join(GATEWAY)).find(|path| path.is_file())
}

fn build(own: &Path) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--workspace", "--bins"]).args(profile(own));
    // The same directory that this program was built in, wherever a flag or a variable put it.
    if let Some(target) = own.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the build failed: cargo ended with {status}")),
        Err(fault) => Err(format!("cannot run cargo: {fault}")),
    }
}

/// The flags that build into `directory`: its name is the profile's, but for the one called `debug`.
fn profile(directory: &Path) -> Vec<&OsStr> {
    match directory.file_name() {
        Some(name) if name != "debug" => vec![OsStr::new("--profile"), name],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(arguments: &[&str]) -> Option<PathBuf> {
        functions(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_functions_directory_is_found_in_both_spellings() {
        assert_eq!(given(&["--memory", "--functions", "bin"]), Some("bin".into()));
        assert_eq!(given(&["--functions=bin", "--memory"]), Some("bin".into()));
        assert_eq!(given(&["--memory", "--functions-of"]), None);
        assert_eq!(given(&["--functions"]), Some(PathBuf::new()));
    }

    #[test]
    fn the_profile_is_that_of_this_program() {
        assert!(profile(Path::new("/x/target/debug")).is_empty());
        assert_eq!(profile(Path::new("/x/target/release")), ["--profile", "release"]);
    }
}
