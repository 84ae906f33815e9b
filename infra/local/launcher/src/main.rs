//! `cargo run`: builds the workspace with cargo, then becomes the gateway.
//!
//! It has no dependencies, so that it compiles in a second and cargo's own progress is visible. It always builds the
//! whole workspace: a selection of packages would have other features and compile the SDK again.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

const GATEWAY: &str = "nsl-gateway";
/// The gateway's flag for the directory of the functions' binaries. With it nothing is built.
const FUNCTIONS: &str = "--functions";
const FIRST_BUILD: &str = "first build: compiling everything takes about 6 minutes on two cores (400 s of processor time); \
     later starts take seconds";
const NO_C_COMPILER: &str = "no C compiler found, and some dependencies need one. Install it with\n  \
     Debian, Ubuntu: sudo apt install build-essential\n  \
     Fedora:         sudo dnf install gcc\n  \
     macOS:          xcode-select --install\n\
     or set CC to the compiler's path";

fn main() -> ExitCode {
    let error = match start() {
        Ok(never) => match never {},
        Err(error) => error,
    };
    print(&error);
    ExitCode::FAILURE
}

fn print(line: &str) {
    // Without stderr there is nowhere to report an error.
    drop(writeln!(std::io::stderr(), "nsl-start: {line}"));
}

fn start() -> Result<Infallible, String> {
    let program =
        std::env::current_exe().map_err(|error| format!("cannot find this program's path: {error}"))?;
    let own = program.parent().ok_or("this program's path has no directory")?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let functions = functions_directory(&arguments);
    let gateway = match functions.as_deref().and_then(|functions| prebuilt_gateway(functions, own)) {
        Some(gateway) => gateway,
        None => {
            build(own)?;
            own.join(GATEWAY)
        }
    };
    let mut command = Command::new(&gateway);
    if functions.is_none() {
        command.arg(FUNCTIONS).arg(own);
    }
    let error = command.args(&arguments).exec();
    Err(format!("cannot run {gateway:?}: {error}"))
}

/// The value of `--functions`, if it is given.
fn functions_directory(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == FUNCTIONS {
            // Without a value the gateway reports the error.
            return Some(arguments.next().map(PathBuf::from).unwrap_or_default());
        }
        let joined = argument.to_str().and_then(|text| text.strip_prefix(FUNCTIONS)?.strip_prefix('='));
        if let Some(directory) = joined {
            return Some(PathBuf::from(directory));
        }
    }
    None
}

/// The gateway beside the functions, or beside this program.
fn prebuilt_gateway(functions: &Path, own: &Path) -> Option<PathBuf> {
    [functions, own].into_iter().map(|directory| directory.join(GATEWAY)).find(|path| path.is_file())
}

fn build(own: &Path) -> Result<(), String> {
    check_c_compiler()?;
    if !own.join(GATEWAY).exists() {
        print(FIRST_BUILD);
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--workspace", "--bins"]).args(profile_flags(own));
    // The target directory of this program, which a flag or a variable may have set.
    if let Some(target) = own.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the build failed, see cargo's messages above ({status})")),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}

/// A missing compiler would fail the build after minutes, with a long message.
fn check_c_compiler() -> Result<(), String> {
    #[expect(clippy::disallowed_methods, reason = "the only variable that the launcher reads")]
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    // CC may have arguments.
    let program = compiler.to_str().and_then(|text| text.split_whitespace().next()).unwrap_or("cc");
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(NO_C_COMPILER.to_owned()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The flags that build into `directory`, which has the profile's name, or `debug` for the default profile.
fn profile_flags(directory: &Path) -> Vec<&OsStr> {
    match directory.file_name() {
        Some(name) if name != "debug" => vec![OsStr::new("--profile"), name],
        Some(_) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(arguments: &[&str]) -> Option<PathBuf> {
        functions_directory(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn functions_flag_is_found_in_both_forms() {
        assert_eq!(given(&["--memory", "--functions", "bin"]), Some("bin".into()));
        assert_eq!(given(&["--functions=bin", "--memory"]), Some("bin".into()));
        assert_eq!(given(&["--memory", "--functions-of"]), None);
        assert_eq!(given(&["--functions"]), Some(PathBuf::new()));
    }

    #[test]
    fn profile_is_that_of_this_program() {
        assert!(profile_flags(Path::new("/x/target/debug")).is_empty());
        assert_eq!(profile_flags(Path::new("/x/target/release")), ["--profile", "release"]);
    }
}
