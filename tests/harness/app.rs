//! Applications, made as an operator makes them: with the command line tool.

use serde::Deserialize;
use tokio::process::Command;

use super::Gateway;
use super::gateway::binary;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct App {
    pub(crate) app_id: String,
    pub(crate) user_id: String,
    pub(crate) api_key: String,
}

impl App {
    /// A fresh application whose key may publish and view.
    pub(crate) async fn create(gateway: &Gateway) -> Self {
        Self::create_with(gateway, &[]).await
    }

    /// A fresh application, with these arguments besides.
    pub(crate) async fn create_with(gateway: &Gateway, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary("nsl"));
        command.args(["app", "create", "--local"]).arg(gateway.ready_file()).arg("--json").args(arguments);
        let output = command.kill_on_drop(true).output().await.expect("nsl starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "nsl app create {arguments:?}: {complaint}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|cause| {
            panic!(
                "nsl app create printed no application ({cause}): {}",
                String::from_utf8_lossy(&output.stdout)
            )
        })
    }
}
