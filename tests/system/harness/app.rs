//! Applications, made as an operator makes them: with the command line tool.

use serde::Deserialize;
use serde_json::Value;
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
        let created = nsl(gateway, &[&["app", "create"], arguments].concat()).await;
        serde_json::from_value(created)
            .unwrap_or_else(|cause| panic!("nsl app create printed no application: {cause}"))
    }
}

/// What the command line tool prints for an operator of this gateway.
pub(crate) async fn nsl(gateway: &Gateway, arguments: &[&str]) -> Value {
    let mut command = Command::new(binary("nsl"));
    command.args(arguments).arg("--json").arg("--local").arg(gateway.ready_file());
    let output = command.kill_on_drop(true).output().await.expect("nsl starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nsl {arguments:?}: {complaint}");
    let printed = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&printed).unwrap_or_else(|cause| panic!("{cause} in nsl {arguments:?}: {printed}"))
}
