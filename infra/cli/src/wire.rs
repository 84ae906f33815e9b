//! The frames that this command speaks and understands, as types: docs/PROTOCOL.md §1, modern dialect.
//!
//! What the service may add is ignored; what it sends that is no frame at all is told, never guessed at.

use crate::target::Credential;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest id that the service accepts, in characters.
pub(crate) const MAX_ID_LENGTH: usize = 128;

/// A frame from this command to the service. It may hold a credential, so it has no `Debug`.
#[derive(Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ClientFrame<'a> {
    /// Proves who speaks.
    Auth { data: Auth<'a> },
    /// Reports; with an `id` the service acknowledges it.
    Metrics {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        data: Report<'a>,
    },
    /// Asks for the application's reports from here on, and the recent ones first.
    Subscribe { data: Subscription<'a> },
    /// Keeps an idle connection open.
    Ping,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Auth<'a> {
    app_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

impl<'a> Auth<'a> {
    /// The proof that `credential` opens `app_id`.
    pub(crate) fn of(app_id: &'a str, credential: &'a Credential) -> Self {
        let (api_key, token) = match credential {
            Credential::Key(key) => (Some(key.as_str()), None),
            Credential::Token(token) => (None, Some(token.as_str())),
        };
        Self { app_id, api_key, token }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report<'a> {
    pub(crate) app_id: &'a str,
    pub(crate) metrics: &'a Value,
    /// ISO 8601 with milliseconds.
    pub(crate) timestamp: String,
    pub(crate) source: &'a str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription<'a> {
    pub(crate) app_id: &'a str,
    /// Epoch milliseconds of the last report seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<i64>,
}

impl ClientFrame<'_> {
    /// Whether the service answers this frame when all is well.
    pub(crate) fn expects_answer(&self) -> bool {
        !matches!(self, Self::Metrics { id: None, .. })
    }
}

/// A frame from the service.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ServiceFrame {
    /// The credentials are accepted.
    AuthSuccess,
    /// Something was rejected.
    Error { payload: Rejection },
    /// A frame with an `id` was judged.
    Ack { payload: Ack },
    /// The subscription stands; these are the recent reports.
    Subscribed { payload: Replay },
    /// More of the recent reports.
    Replay { payload: Replay },
    /// One live report.
    Metrics { payload: Value },
    /// The answer to a ping.
    Pong,
    /// A frame that this command has no use for.
    #[serde(other)]
    Unknown,
}

/// Why the service would not take something. The codes are stable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub(crate) struct Rejection {
    pub(crate) code: String,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) id: Option<String>,
    /// Whether the same attempt may succeed later.
    #[serde(default)]
    pub(crate) retryable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Ack {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) accepted: u64,
    #[serde(default)]
    pub(crate) rejected: Vec<Rejection>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Replay {
    #[serde(default)]
    pub(crate) reports: Vec<Value>,
    /// False when more was missed than is replayed.
    #[serde(default = "is_complete_unless_told")]
    pub(crate) complete: bool,
}

fn is_complete_unless_told() -> bool {
    true
}

/// A text frame, understood or not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    /// A frame of the protocol.
    Frame(ServiceFrame),
    /// API Gateway's own error frame: a message without a type.
    Gateway { message: String },
    /// Nothing of the protocol.
    Garbage,
}

/// Understands a text frame.
pub(crate) fn hear(text: &str) -> Heard {
    #[derive(Deserialize)]
    struct GatewayError {
        message: String,
    }
    if let Ok(frame) = serde_json::from_str(text) {
        return Heard::Frame(frame);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value.get("type").is_none() => match serde_json::from_value::<GatewayError>(value) {
            Ok(GatewayError { message }) => Heard::Gateway { message },
            Err(_) => Heard::Garbage,
        },
        _ => Heard::Garbage,
    }
}

/// Whether the service would accept `text` as an id of an application, a user or a source.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&text.len()) && text.chars().all(is_id_character)
}

/// Whether `character` may stand in an id.
pub(crate) fn is_id_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_.:@-".contains(character)
}

/// An instant as the protocol writes it: ISO 8601 in UTC with milliseconds.
pub(crate) fn iso(instant: Timestamp) -> String {
    format!("{instant:.3}")
}

/// Epoch milliseconds of a `timestamp` field, which is ISO 8601 or epoch milliseconds itself.
pub(crate) fn epoch_ms(timestamp: &Value) -> Option<i64> {
    match timestamp {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|ms| ms as i64)),
        Value::String(text) => text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn frames_stand_on_the_wire_as_the_protocol_says() {
        let metrics = json!({"cpu": {"usage": 1.5}});
        let report = Report {
            app_id: "a",
            metrics: &metrics,
            timestamp: iso(Timestamp::from_millisecond(1_764_000_000_007).unwrap()),
            source: "s",
        };
        let frame = ClientFrame::Metrics { id: Some("r1".to_owned()), data: report };
        assert_eq!(
            serde_json::to_value(&frame).unwrap(),
            json!({"type": "metrics", "id": "r1", "data": {"appId": "a", "metrics": {"cpu": {"usage": 1.5}},
                   "timestamp": "2025-11-24T16:00:00.007Z", "source": "s"}})
        );
        let frame = ClientFrame::Subscribe { data: Subscription { app_id: "a", since: None } };
        assert_eq!(serde_json::to_string(&frame).unwrap(), r#"{"type":"subscribe","data":{"appId":"a"}}"#);
        assert_eq!(serde_json::to_string(&ClientFrame::Ping).unwrap(), r#"{"type":"ping"}"#);
    }

    #[test]
    fn frames_of_the_service_are_understood() {
        let success = r#"{"type":"auth_success","payload":{"appId":"a","userId":"u"}}"#;
        assert_eq!(hear(success), Heard::Frame(ServiceFrame::AuthSuccess));
        let error = r#"{"type":"error","payload":{"code":"unavailable","message":"m","retryable":true}}"#;
        let Heard::Frame(ServiceFrame::Error { payload }) = hear(error) else { panic!("no error frame") };
        assert!(payload.retryable);
        let subscribed = r#"{"type":"subscribed","payload":{"appId":"a","reports":[{}],"complete":false}}"#;
        let Heard::Frame(ServiceFrame::Subscribed { payload }) = hear(subscribed) else {
            panic!("not subscribed")
        };
        assert_eq!((payload.reports.len(), payload.complete), (1, false));
        let ack = r#"{"type":"ack","payload":{"id":"r1","accepted":0,"rejected":[{"index":0,"code":"c","message":"m","field":"f"}]}}"#;
        let Heard::Frame(ServiceFrame::Ack { payload }) = hear(ack) else { panic!("no ack") };
        assert_eq!(payload.rejected.len(), 1);
        assert_eq!(hear(r#"{"type":"pong"}"#), Heard::Frame(ServiceFrame::Pong));
        assert_eq!(hear(r#"{"type":"novelty","payload":7}"#), Heard::Frame(ServiceFrame::Unknown));
    }

    #[test]
    fn gateways_own_errors_and_garbage_are_told_apart() {
        let gateway = hear(r#"{"message":"Internal server error","connectionId":"c","requestId":"r"}"#);
        assert_eq!(gateway, Heard::Gateway { message: "Internal server error".to_owned() });
        for text in ["", "no json", "[]", "7", r#"{"type":"error"}"#, "{}"] {
            assert_eq!(hear(text), Heard::Garbage, "{text}");
        }
    }

    #[test]
    fn only_what_asks_for_an_answer_expects_one() {
        let metrics = json!({});
        let data = Report { app_id: "a", metrics: &metrics, timestamp: String::new(), source: "s" };
        assert!(!ClientFrame::Metrics { id: None, data: data.clone() }.expects_answer());
        assert!(ClientFrame::Metrics { id: Some("r".to_owned()), data }.expects_answer());
        assert!(ClientFrame::Ping.expects_answer());
    }

    #[test]
    fn timestamps_are_read_in_both_spellings() {
        assert_eq!(epoch_ms(&json!("2025-11-24T16:00:00.007Z")), Some(1_764_000_000_007));
        assert_eq!(epoch_ms(&json!(1_764_000_000_007_i64)), Some(1_764_000_000_007));
        assert_eq!(epoch_ms(&json!("yesterday")), None);
        assert_eq!(epoch_ms(&Value::Null), None);
    }

    #[test]
    fn ids_have_the_services_alphabet_and_length() {
        assert!(is_id("Web-1.eu:2@x_y"));
        assert!(is_id(&"a".repeat(128)));
        for text in ["", "a b", "é", "a/b", "a#b", &"a".repeat(129)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
