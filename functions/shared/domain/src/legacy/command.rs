//! Commands of a dashboard to the publishers of an app. Only two are relayed, always with `data`: a command without it
//! ends the library's process.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::frame::fields::{self, Field};
use crate::ids::{AppId, Subject};
use crate::time::TimestampMs;

/// A switch of a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Switch {
    /// Whether it prints its log entries.
    Console,
    /// Whether it encrypts its log entries.
    Encryption,
}

impl Switch {
    /// Every switch.
    pub const ALL: [Self; 2] = [Self::Console, Self::Encryption];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console_toggle",
            Self::Encryption => "encryption_toggle",
        }
    }

    /// Reads what [`Switch::as_str`] writes; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|switch| switch.as_str() == text)
    }
}

/// A switch, on or off. An encryption key beside it is neither relayed nor stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// Which.
    pub switch: Switch,
    /// On or off.
    pub enabled: bool,
}

/// A stored command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCommand {
    /// The command.
    pub command: Command,
    /// The user that issued it.
    pub user: Subject,
    /// When.
    pub at: TimestampMs,
}

impl Command {
    /// Reads the `type` and the `data` of a command; `None` if either is not valid.
    pub(super) fn read(kind: Field<String>, data: Option<&RawValue>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Setting {
            enabled: bool,
        }
        let Field::Valid(kind) = kind else { return None };
        let Setting { enabled } = fields::object(data?.get()).ok()?;
        Some(Self { switch: Switch::from_text(&kind)?, enabled })
    }

    /// The object that the library and the dashboard read: `{type, data: {enabled}}`.
    pub(crate) fn to_json(self) -> Value {
        json!({"type": self.switch.as_str(), "data": {"enabled": self.enabled}})
    }
}

impl IssuedCommand {
    /// An entry of `get_last_actions`; its `data` is the command.
    pub(crate) fn to_json(&self, app: &AppId) -> Value {
        let kind = self.command.switch.as_str();
        let setting = json!({"enabled": self.command.enabled});
        let data = json!({"type": kind, "data": setting, "userId": self.user, "appId": app});
        json!({
            "id": format!("{app}-{kind}"), "userId": self.user, "appId": app, "type": kind, "data": data,
            "timestamp": self.at.ms(), "status": "success",
        })
    }
}
