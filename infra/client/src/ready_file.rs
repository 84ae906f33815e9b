//! The ready file that a local gateway writes once it accepts connections: its addresses, and the demo app.

use anyhow::Context as _;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Path of the ready file, relative to the folder in which the gateway was started.
pub const DEFAULT_PATH: &str = ".nsl/ready.json";

/// A running local gateway, or a deployed stack in the same terms. It contains secrets, so it has no `Debug`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_debug_implementations, reason = "it contains secrets")]
pub struct ReadyFile {
    /// Address of the WebSocket API.
    pub ws: String,
    /// Address of the HTTP API.
    #[serde(default)]
    pub http: String,
    /// Address of the DynamoDB endpoint.
    #[serde(default)]
    pub dynamodb: Option<String>,
    /// Access key id that requests to DynamoDB and to connections are signed with.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Address under which functions post to connections.
    #[serde(default)]
    pub management: String,
    /// AWS region that is configured for the functions.
    #[serde(default = "default_region")]
    pub region: String,
    /// Outputs of the template: names of tables, and addresses.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
    /// Parameters of the template, those that a gateway or a stack states.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Secrets of the template by their logical ids.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// The demo app, if there is one.
    #[serde(default)]
    pub app: Option<AppKey>,
}

/// An app with one of its keys, which may publish and view.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_debug_implementations, reason = "it contains a key")]
pub struct AppKey {
    /// Id of the app.
    pub app_id: String,
    /// The key.
    pub api_key: String,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

impl ReadyFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If there is no such file, or it is not a ready file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "cannot read ready file {shown}; is the gateway running? start it with `cargo run` in the \
                 repository, then run this command there or name the file, {DEFAULT_PATH} in that folder"
            )
        })?;
        serde_json::from_str(&text).with_context(|| format!("cannot parse ready file {shown}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_and_unknown_fields_are_optional() {
        let text = r#"{"ws":"ws://127.0.0.1:1","http":"http://127.0.0.1:2","management":"x","extra":1}"#;
        let ready: ReadyFile = serde_json::from_str(text).unwrap();
        assert_eq!(ready.ws, "ws://127.0.0.1:1");
        assert!(ready.app.is_none());
    }
}
