//! The command line tool `nsl`, with which the tests do what an operator does.

use serde_json::Value;
use tokio::process::Command;

use super::gateway::binary;
use super::{App, Gateway};

impl App {
    /// Creates an application whose key may publish and view.
    pub(crate) async fn create(gateway: &Gateway) -> Self {
        Self::create_with(gateway, &[]).await
    }

    /// Creates an application with the legacy flag.
    pub(crate) async fn create_legacy(gateway: &Gateway) -> Self {
        Self::create_with(gateway, &["--legacy", "--owner", "nehonix_owner"]).await
    }

    /// Creates an application with additional `arguments` of `nsl app create`.
    pub(crate) async fn create_with(gateway: &Gateway, arguments: &[&str]) -> Self {
        let created = nsl(gateway, &[&["app", "create"], arguments].concat()).await;
        serde_json::from_value(created)
            .unwrap_or_else(|cause| panic!("nsl app create printed no application: {cause}"))
    }
}

/// `nsl` with `arguments`, for the gateway and with its output as JSON. It ends with its test.
pub(crate) fn nsl_command(gateway: &Gateway, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("nsl"));
    command.args(arguments).arg("--json").arg("--local").arg(gateway.ready_file());
    command.kill_on_drop(true);
    command
}

/// Runs `nsl` against the gateway and returns the JSON that it prints.
pub(crate) async fn nsl(gateway: &Gateway, arguments: &[&str]) -> Value {
    let output = nsl_command(gateway, arguments).output().await.expect("nsl starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nsl {arguments:?}: {error}");
    let printed = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&printed).unwrap_or_else(|cause| panic!("{cause} in nsl {arguments:?}: {printed}"))
}
