//! The frames of the modern dialect: docs/PROTOCOL.md, "Client to service" and "Service to viewer".

use crate::credential::Credential;
use nsl_domain::time::TimestampMs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A frame to the service. It may contain a credential, so it has no `Debug`.
#[derive(Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_debug_implementations, reason = "it may contain a credential")]
pub enum ClientFrame<'a> {
    /// Authenticates the connection.
    Auth {
        /// The credential.
        data: Auth<'a>,
    },
    /// Publishes reports. With an `id` the service acknowledges them.
    Metrics {
        /// Id of the acknowledgement.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// One report or several.
        data: Reports<'a>,
    },
    /// Subscribes to an app: the recent reports, then each new one.
    Subscribe {
        /// The app.
        data: Subscription<'a>,
    },
    /// Keeps an idle connection open.
    Ping,
}

/// The credential of an `auth` frame.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_debug_implementations, reason = "it contains a credential")]
pub struct Auth<'a> {
    /// The app.
    pub app_id: &'a str,
    /// Its key, or a token.
    #[serde(flatten)]
    pub credential: &'a Credential,
}

/// The reports of a `metrics` frame.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Reports<'a> {
    /// One report, as the library sends it.
    One(Report<'a>),
    /// A batch.
    Batch(Vec<Report<'a>>),
}

/// A report to publish.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<'a> {
    /// The app.
    pub app_id: &'a str,
    /// The metrics document.
    pub metrics: &'a RawValue,
    /// Time of the report.
    pub timestamp: TimestampMs,
    /// The reporting process.
    pub source: &'a str,
}

/// The data of a `subscribe` frame.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription<'a> {
    /// The app.
    pub app_id: &'a str,
    /// Epoch milliseconds of the last report that was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
}

impl ClientFrame<'_> {
    /// Whether the service replies to this frame.
    pub fn expects_reply(&self) -> bool {
        !matches!(self, Self::Metrics { id: None, .. })
    }
}

/// A frame from the service.
#[derive(Debug)]
pub enum ServiceFrame<'a> {
    /// The credential was accepted.
    AuthSuccess,
    /// A frame was rejected.
    Error(Rejection),
    /// Reports with an `id` were accepted or rejected.
    Ack(Ack),
    /// Reply to `subscribe`, with the recent reports.
    Subscribed(Replay),
    /// More of the recent reports.
    Replay(Replay),
    /// A new report.
    Metrics(&'a RawValue),
    /// Reply to `ping`.
    Pong,
    /// A type of frame that this client does not use.
    Other,
    /// API Gateway's own error frame, which has a message and no type.
    GatewayError(String),
    /// Not a frame of the protocol.
    Malformed,
}

/// Why the service rejected something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Rejection {
    /// Stable code: docs/PROTOCOL.md, "Rejections".
    pub code: String,
    /// Text for people.
    pub message: String,
    /// Id of the rejected frame.
    #[serde(default)]
    pub id: Option<String>,
    /// Place of the rejected report in its frame.
    #[serde(default)]
    pub index: Option<u64>,
    /// Whether the same attempt may succeed later.
    #[serde(default)]
    pub retryable: bool,
}

/// The acknowledgement of a `metrics` frame.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Ack {
    /// Id of the frame.
    pub id: String,
    /// Number of accepted reports.
    #[serde(default)]
    pub accepted: u64,
    /// The rejected reports.
    #[serde(default)]
    pub rejected: Vec<Rejection>,
}

/// Reports from before the subscription.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Replay {
    /// The reports.
    #[serde(default)]
    pub reports: Vec<Value>,
    /// False if older reports were left out.
    #[serde(default = "default_complete")]
    pub complete: bool,
}

fn default_complete() -> bool {
    true
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

impl<'a> ServiceFrame<'a> {
    /// Parses a text frame.
    pub fn parse(text: &'a str) -> Self {
        let Ok(Envelope { kind, payload, message }) = serde_json::from_str(text) else {
            return Self::Malformed;
        };
        let Some(kind) = kind else {
            return message.map_or(Self::Malformed, |text| Self::GatewayError(text.into()));
        };
        let parsed = match &*kind {
            "auth_success" => Some(Self::AuthSuccess),
            "error" => read(payload).map(Self::Error),
            "ack" => read(payload).map(Self::Ack),
            "subscribed" => read(payload).map(Self::Subscribed),
            "replay" => read(payload).map(Self::Replay),
            "metrics" => payload.map(Self::Metrics),
            "pong" => Some(Self::Pong),
            _ => Some(Self::Other),
        };
        parsed.unwrap_or(Self::Malformed)
    }
}

fn read<T: DeserializeOwned>(payload: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(payload?.get()).ok()
}

#[cfg(test)]
mod tests;
