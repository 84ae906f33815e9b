//! Children that cannot outlive the gateway.
//!
//! A function ends by itself when its Runtime API is gone, but not while its handler runs, and the demo agent knows
//! no Runtime API. So on Linux each child is started through this program, which asks the kernel to kill it with
//! its parent and then becomes the child. Elsewhere children are started directly.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a child may take to end when asked to.
const END_LIMIT: Duration = Duration::from_millis(500);

/// The first argument that turns this program into a keeper.
pub const EXEC_WITH_PARENT_DEATH_SIGNAL: &str = "--keep-child";

/// A command that runs `binary` in a process group of its own, kept through `program` where that is possible.
pub(crate) fn command(program: Option<&Path>, binary: &Path) -> Command {
    let mut command = match program.filter(|_| cfg!(target_os = "linux")) {
        Some(program) => {
            let mut command = Command::new(program);
            command.arg(EXEC_WITH_PARENT_DEATH_SIGNAL).arg(std::process::id().to_string()).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    // The terminal's Ctrl-C is for the gateway, which ends its children in its own time.
    command.process_group(0).kill_on_drop(true);
    command
}

/// Asks a child of [`command`] and what it started to end, then makes them.
pub(crate) async fn end(child: &mut Child) {
    if let Some(group) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
        // A group that is gone already is as good.
        let _ = kill_process_group(group, Signal::TERM);
        if timeout(END_LIMIT, child.wait()).await.is_err() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    drop(child.wait().await);
}

/// Becomes the child named by `arguments` (parent, program, its arguments); returns only what went wrong.
#[cfg(target_os = "linux")]
pub fn exec_with_parent_death_signal(mut arguments: impl Iterator<Item = OsString>) -> anyhow::Error {
    use std::os::unix::process::CommandExt;

    use rustix::process::{getppid, set_parent_process_death_signal};

    let parent = arguments.next().and_then(|pid| pid.to_str()?.parse::<i32>().ok());
    let Some(program) = arguments.next() else {
        return anyhow::anyhow!("{EXEC_WITH_PARENT_DEATH_SIGNAL} needs a program");
    };
    if let Err(fault) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return anyhow::Error::new(fault).context("cannot bind the child's life to its parent's");
    }
    // A parent that died before the line above sends no signal any more.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != parent {
        return anyhow::anyhow!("the gateway is gone");
    }
    let fault = std::process::Command::new(&program).args(arguments).exec();
    anyhow::Error::new(fault).context(format!("cannot run {}", Path::new(&program).display()))
}

/// Elsewhere no child is ever started this way.
#[cfg(not(target_os = "linux"))]
pub fn exec_with_parent_death_signal(_arguments: impl Iterator<Item = OsString>) -> anyhow::Error {
    anyhow::anyhow!("{EXEC_WITH_PARENT_DEATH_SIGNAL} needs Linux")
}
