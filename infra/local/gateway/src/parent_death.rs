//! Child processes that end with the gateway, even when it is killed.
//!
//! On Linux a child is started through this program, which asks the kernel for SIGKILL when its parent dies and then
//! execs the child. A function notices by itself that its Runtime API is gone, but not while its handler runs, and
//! the demo agent has no Runtime API. Elsewhere children are started directly.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a child has after SIGTERM before it gets SIGKILL.
const TERM_TIMEOUT: Duration = Duration::from_millis(500);

/// The first argument with which this program execs a child: followed by the parent's process id, the program and
/// its arguments.
pub const EXEC_FLAG: &str = "--keep-child";

/// A command that runs `binary` with this environment in its own process group, through the gateway's own program
/// on Linux. Its outputs are piped.
pub(crate) fn command(
    gateway_program: Option<&Path>,
    binary: &Path,
    environment: &BTreeMap<String, String>,
) -> Command {
    let mut command = match gateway_program.filter(|_| cfg!(target_os = "linux")) {
        Some(program) => {
            let mut command = Command::new(program);
            command.arg(EXEC_FLAG).arg(std::process::id().to_string()).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    // Ctrl-C in the terminal must reach the gateway only: it ends its children after their invocations.
    command.process_group(0).kill_on_drop(true).env_clear().envs(environment);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Ends a child of [`command`] and its process group: SIGTERM, then SIGKILL.
pub(crate) async fn end(child: &mut Child) {
    if let Some(group) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
        // An error means that the group has already ended.
        let _ = kill_process_group(group, Signal::TERM);
        if timeout(TERM_TIMEOUT, child.wait()).await.is_err() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    drop(child.wait().await);
}

/// Execs the program named by `arguments` (parent's process id, program, its arguments); returns only on failure.
#[cfg(target_os = "linux")]
pub fn exec_with_parent_death_signal(mut arguments: impl Iterator<Item = OsString>) -> anyhow::Error {
    use std::os::unix::process::CommandExt;

    use rustix::process::{getppid, set_parent_process_death_signal};

    let parent = arguments.next().and_then(|pid| pid.to_str()?.parse::<i32>().ok());
    let Some(program) = arguments.next() else { return anyhow::anyhow!("{EXEC_FLAG} needs a program") };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return anyhow::Error::new(error).context("cannot set the parent-death signal");
    }
    // If the parent has already exited, no signal will be sent.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != parent {
        return anyhow::anyhow!("the gateway has ended");
    }
    let error = std::process::Command::new(&program).args(arguments).exec();
    anyhow::Error::new(error).context(format!("cannot run {}", Path::new(&program).display()))
}

/// No child is started this way outside Linux.
#[cfg(not(target_os = "linux"))]
pub fn exec_with_parent_death_signal(_arguments: impl Iterator<Item = OsString>) -> anyhow::Error {
    anyhow::anyhow!("{EXEC_FLAG} needs Linux")
}
