//! Commands: what a dashboard tells the publishers of an application.
//!
//! Owns the two that there are and their one form. Refuses any other: the library's process dies of a command without
//! `data`. Ruled by protocol.md §2.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::frame::fields::{self, Field};
use crate::ids::{AppId, UserId};
use crate::time::TimestampMs;

/// Which switch of a publisher is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Switch {
    /// Whether it prints what it logs.
    Console,
    /// Whether it encrypts what it logs.
    Encryption,
}

impl Switch {
    /// Every switch.
    pub const ALL: [Self; 2] = [Self::Console, Self::Encryption];

    /// The word for it on the wire.
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

/// One switch, on or off. The key that a dashboard may name beside it is neither relayed nor kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// Which.
    pub switch: Switch,
    /// On or off.
    pub enabled: bool,
}

/// A command that was given, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCommand {
    /// What was said.
    pub command: Command,
    /// By whom.
    pub user: UserId,
    /// When.
    pub at: TimestampMs,
}

impl Command {
    /// Reads the `type` and the `data` of a command; `None` where either is not valid.
    pub(super) fn read(kind: Field<String>, data: Option<&RawValue>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Setting {
            enabled: bool,
        }
        let Field::Valid(kind) = kind else { return None };
        let Setting { enabled } = fields::object(data?.get())?;
        Some(Self { switch: Switch::from_text(&kind)?, enabled })
    }

    /// The object that the library and the dashboard read: `{type, data: {enabled}}`.
    pub(crate) fn to_json(self) -> Value {
        json!({"type": self.switch.as_str(), "data": {"enabled": self.enabled}})
    }
}

impl IssuedCommand {
    /// The object that `get_last_actions` tells: its `data` is the command itself.
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
