//! The demo app and its agent, both made by the `nsl` tool: the gateway knows no item format.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::Value as Json;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::console::Console;
use crate::endpoints::Endpoints;
use crate::lambda::{Output, Stderr, for_tool};
use crate::parent_death;
use crate::settings::Settings;
use crate::state::StateDir;

/// The tool's name beside the functions.
pub(crate) const TOOL: &str = "nsl";
/// How long making the app may take.
const CREATE_LIMIT: Duration = Duration::from_secs(60);
/// How long a dead agent stays dead.
const RESTART_AFTER: Duration = Duration::from_secs(3);

/// How to run the `nsl` tool.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    binary: std::path::PathBuf,
    settings: Settings,
    endpoints: Endpoints,
    console: Arc<Console>,
}

impl Tool {
    pub(crate) fn new(
        functions: &Path,
        settings: &Settings,
        endpoints: &Endpoints,
        console: &Arc<Console>,
    ) -> Self {
        let (settings, endpoints) = (settings.clone(), endpoints.clone());
        Self { binary: functions.join(TOOL), settings, endpoints, console: Arc::clone(console) }
    }

    fn command(&self, arguments: &[&str], local: &Path) -> Command {
        let mut command = parent_death::command(self.settings.program.as_deref(), &self.binary);
        command
            .args(arguments)
            .arg("--local")
            .arg(local)
            .env_clear()
            .envs(for_tool(&self.settings, &self.endpoints))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Makes the demo app, or finds it; `local` is the ready document so far. Returns what the ready file tells.
    pub(crate) async fn create_app(&self, state: &StateDir, local: &Path) -> anyhow::Result<Json> {
        let key_file = state.file("demo-key");
        let key_file = key_file.to_str().ok_or_else(|| anyhow!("{} is no UTF-8", key_file.display()))?;
        let arguments = ["app", "create", "--demo", "--json", "--key-file", key_file];
        let output = self.command(&arguments, local).output();
        let output = tokio::time::timeout(CREATE_LIMIT, output)
            .await
            .context("`nsl app create --demo` took too long")?
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("`nsl app create --demo` ended with {}: {}", output.status, complaint.trim());
        }
        let printed: Json = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("`nsl app create --demo` printed no JSON: {:?}", output.stdout))?;
        let mut app = serde_json::Map::new();
        for field in ["appId", "userId", "apiKey"] {
            let value = printed.get(field).filter(|value| value.is_string());
            let value = value.ok_or_else(|| anyhow!("`nsl app create --demo` printed no {field}"))?;
            app.insert(field.to_owned(), value.clone());
        }
        Ok(Json::Object(app))
    }

    /// Keeps the agent running until `stop`.
    pub(crate) fn start_agent(self, ready: &Path, stop: CancellationToken) -> JoinHandle<()> {
        let ready = ready.to_path_buf();
        tokio::spawn(async move {
            while !stop.is_cancelled() {
                self.run_agent(&ready, &stop).await;
                tokio::select! {
                    () = tokio::time::sleep(RESTART_AFTER) => {}
                    () = stop.cancelled() => {}
                }
            }
        })
    }

    async fn run_agent(&self, ready: &Path, stop: &CancellationToken) {
        let mut child = match self.command(&["agent"], ready).spawn() {
            Ok(child) => child,
            Err(fault) => return self.console.warn(&format!("cannot start the demo agent: {fault}")),
        };
        let mut output = Output::follow(&mut child, "agent", Stderr::Progress, &self.console);
        tokio::select! {
            status = child.wait() => {
                let status = status.map_or_else(|fault| fault.to_string(), |status| status.to_string());
                let lines = output.last_lines().await;
                let last = lines.last().map(String::as_str).unwrap_or("it said nothing");
                self.console.warn(&format!("the demo agent ended with {status}, starting it again: {last}"));
            }
            () = stop.cancelled() => parent_death::end(&mut child).await,
        }
    }
}
