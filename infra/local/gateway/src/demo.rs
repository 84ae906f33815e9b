//! The demo app and its agent, both run through the `nsl` tool: the gateway has no item format of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::console::{Channel, Console};
use crate::endpoints::Endpoints;
use crate::lambda::{ChildOutput, tool_environment};
use crate::parent_death;
use crate::settings::Settings;
use crate::state::{KEY_FILE, StateDir, VIEW_KEY_FILE};

/// The tool's binary, beside those of the functions.
pub(crate) const TOOL: &str = "nsl";
const CREATE_APP_TIMEOUT: Duration = Duration::from_secs(60);
/// The pause before an agent that ended is started again.
const RESTART_DELAY: Duration = Duration::from_secs(3);

/// The demo app, as the tool prints it and as the ready file names it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DemoApp {
    app_id: String,
    user_id: String,
    api_key: String,
    /// A key that may only view.
    view_key: String,
}

/// Runs the `nsl` tool.
#[derive(Clone, Debug)]
pub(crate) struct DemoTool {
    pub(crate) binary: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) endpoints: Endpoints,
    pub(crate) console: Arc<Console>,
}

impl DemoTool {
    fn command(&self, arguments: &[&str], ready_file: &Path) -> Command {
        let environment = tool_environment(&self.settings, &self.endpoints);
        let mut command = parent_death::command(self.settings.program.as_deref(), &self.binary, &environment);
        command.args(arguments).arg("--local").arg(ready_file);
        command
    }

    /// Creates the demo app unless it exists; `ready_file` has no app yet.
    pub(crate) async fn create_app(&self, state: &StateDir, ready_file: &Path) -> anyhow::Result<DemoApp> {
        let mut command = self.command(&["app", "create", "--demo", "--json"], ready_file);
        command.arg("--key-file").arg(state.file(KEY_FILE));
        command.arg("--view-key-file").arg(state.file(VIEW_KEY_FILE));
        let output = command.output();
        let output = tokio::time::timeout(CREATE_APP_TIMEOUT, output)
            .await
            .context("`nsl app create --demo` took too long")?
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            bail!("`nsl app create --demo` ended with {}: {}", output.status, stderr.trim());
        }
        serde_json::from_slice(&output.stdout).context("`nsl app create --demo` did not print the app")
    }

    /// Runs the agent until `stop`, and starts it again when it ends.
    pub(crate) fn start_agent(self, ready_file: &Path, stop: CancellationToken) -> JoinHandle<()> {
        let ready_file = ready_file.to_path_buf();
        tokio::spawn(async move {
            while !stop.is_cancelled() {
                self.run_agent(&ready_file, &stop).await;
                tokio::select! {
                    () = tokio::time::sleep(RESTART_DELAY) => {}
                    () = stop.cancelled() => {}
                }
            }
        })
    }

    async fn run_agent(&self, ready_file: &Path, stop: &CancellationToken) {
        let mut child = match self.command(&["agent"], ready_file).spawn() {
            Ok(child) => child,
            Err(error) => return self.console.warn(&format!("cannot start the demo agent: {error}")),
        };
        let mut output = ChildOutput::follow(&mut child, "agent", Channel::Stdout, &self.console);
        tokio::select! {
            status = child.wait() => {
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                let lines = output.last_lines().await;
                let last = lines.last().map(String::as_str).unwrap_or("no output");
                self.console.warn(&format!("the demo agent ended with {status}, restarting it: {last}"));
            }
            () = stop.cancelled() => parent_death::end(&mut child).await,
        }
    }
}
