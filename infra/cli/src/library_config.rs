//! The configuration file that the NehonixSmartLogger library imports: the ids and the key in one, and a new one.

use anyhow::{Context as _, ensure};
use nsl_domain::app::App;
use serde_json::{Value, json};

/// The app that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) app_id: String,
    pub(crate) user_id: String,
    pub(crate) name: Option<String>,
}

impl Identity {
    /// The key, empty if there is none, and the identity of the configuration `text`. Errors quote nothing of it.
    pub(crate) fn parse(text: &str) -> anyhow::Result<(String, Self)> {
        let config: Value = serde_json::from_str(text).context("it is neither a key nor valid JSON")?;
        let field = |path: &str| config.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
        let required = |path: &str, name: &str| {
            field(path).map(str::to_owned).with_context(|| format!("the configuration has no text {name}"))
        };
        let identity = Self {
            app_id: required("/app/appId", "app.appId")?,
            user_id: required("/user/userId", "user.userId")?,
            name: field("/app/name").map(str::to_owned),
        };
        let key = field("/app/apiKey").map(str::trim).unwrap_or_default().to_owned();
        ensure!(!key.is_empty(), "the configuration has no key in app.apiKey: {NEW_KEY}");
        Ok((key, identity))
    }
}

/// How a configuration without a usable key gets one.
const NEW_KEY: &str =
    "create the application without it, then print a new configuration with nsl app config APP --new-key";

/// The configuration of `app`, complete for each published version: one reads `persistence` and `monitoring` itself,
/// in others the host passes them to `initialize`, which reads `interval`, `maxFiles` and `compress`; without an
/// interval that version would rotate its log file every millisecond.
///
/// `wsUrl` is read by `nsl-client/upgrade` only. The sampling rate is a percentage: 100 reports once a second.
pub(crate) fn render(app: &App, key: &str, address: &str) -> Value {
    json!({
        "user": {"userId": app.owner},
        "app": {"provider": "nehonix", "appId": app.id, "name": app.name, "apiKey": key, "wsUrl": address},
        "logLevel": "debug",
        "console": {"enabled": true, "showTimestamp": true, "showLogLevel": true, "colorized": true,
            "format": "simple"},
        "encryption": {"enabled": false, "key": ""},
        "persistence": {"enabled": false, "maxSize": 100, "maxFiles": 10, "rotationInterval": "daily",
            "interval": "daily", "retentionPeriod": 30, "compressArchives": false, "compress": false},
        "monitoring": {"enabled": true, "samplingRate": 100, "maxEventsPerSecond": 100, "monitorMemory": true,
            "monitorCPU": true, "monitorNetwork": true},
    })
}
