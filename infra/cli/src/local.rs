//! The ready file of a gateway on this machine: where it listens, and the demo application it keeps.

use anyhow::Context as _;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a gateway that was started in the present folder writes its ready file.
pub(crate) const DEFAULT_READY_FILE: &str = ".nsl/ready.json";

/// A running local gateway, in its own words. It holds a key and secrets, so it has no `Debug`.
#[derive(Clone, Deserialize)]
pub(crate) struct ReadyFile {
    /// Address of the WebSocket API.
    pub(crate) ws: String,
    /// Address of the HTTP API.
    #[serde(default)]
    pub(crate) http: String,
    /// Address of the DynamoDB endpoint.
    #[serde(default)]
    pub(crate) dynamodb: Option<String>,
    /// Address under which functions post to connections.
    #[serde(default)]
    pub(crate) management: String,
    /// Region that the functions believe to be in.
    #[serde(default = "usual_region")]
    pub(crate) region: String,
    /// Outputs of the template: names of tables and addresses.
    #[serde(default)]
    pub(crate) outputs: BTreeMap<String, String>,
    /// Secrets of the template by their logical ids.
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, String>,
    /// The demo application, where there is one.
    #[serde(default)]
    pub(crate) app: Option<DemoApp>,
}

/// The demo application with its key.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DemoApp {
    /// Its id.
    pub(crate) app_id: String,
    /// A key that may publish and view.
    pub(crate) api_key: String,
}

fn usual_region() -> String {
    "us-east-1".to_owned()
}

impl ReadyFile {
    /// Reads the file at `path`.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "no gateway seems to run here (start one with `cargo run`): cannot read ready file {}",
                path.display()
            )
        })?;
        serde_json::from_str(&text)
            .with_context(|| format!("cannot understand ready file {}", path.display()))
    }
}

/// The ready file's path: the argument, else the environment's, else the default one.
pub(crate) fn ready_file_path(argument: Option<&PathBuf>, environment: Option<&PathBuf>) -> PathBuf {
    argument.or(environment).cloned().unwrap_or_else(|| PathBuf::from(DEFAULT_READY_FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_file_without_an_app_is_understood() {
        let ready: ReadyFile = serde_json::from_str(
            r#"{"ws":"ws://127.0.0.1:1","http":"http://127.0.0.1:2","management":"x","extra":1}"#,
        )
        .unwrap();
        assert_eq!(ready.ws, "ws://127.0.0.1:1");
        assert!(ready.app.is_none());
    }

    #[test]
    fn argument_wins_over_environment_over_default() {
        let (argument, environment) = (PathBuf::from("a"), PathBuf::from("e"));
        assert_eq!(ready_file_path(Some(&argument), Some(&environment)), argument);
        assert_eq!(ready_file_path(None, Some(&environment)), environment);
        assert_eq!(ready_file_path(None, None), PathBuf::from(DEFAULT_READY_FILE));
    }
}
