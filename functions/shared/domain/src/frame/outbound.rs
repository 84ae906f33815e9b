//! Frames that the service sends.
//!
//! Owns their shapes and their rendering to text, once per frame and never once per receiver. Refuses any shape
//! that kills the library: every frame is a JSON object with a `type`. Ruled by protocol.md §1 and §2.

use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::envelope::FrameId;
use crate::ids::{AppId, Source, UserId};
use crate::legacy::command::{Command, IssuedCommand};
use crate::legacy::frames::HistoryShape;
use crate::legacy::logs;
use crate::rejection::{Code, Rejection};
use crate::report::Report;
use crate::time::TimestampMs;

/// What a refused report of a batch is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedReport {
    /// Its place in the frame, from 0.
    pub index: usize,
    /// Why.
    #[serde(flatten)]
    pub rejection: Rejection,
    /// Whether the same report may be sent again later.
    pub retryable: bool,
}

impl RejectedReport {
    /// The refusal of report `index`.
    pub fn new(index: usize, rejection: Rejection) -> Self {
        Self { index, retryable: rejection.code.is_retryable(), rejection }
    }
}

/// A frame to a client, other than reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outbound {
    /// `auth` succeeded. The library dies where `userId` is missing.
    AuthSuccess {
        /// The application that was named.
        app: AppId,
        /// The user on whose behalf the connection acts.
        user: UserId,
    },
    /// The legacy dashboard's `auth` failed. Never sent to a publisher: the library throws.
    AuthError,
    /// What became of a frame of reports that has an id.
    Ack {
        /// The frame's id.
        id: FrameId,
        /// How many of its reports are stored.
        accepted: usize,
        /// The others.
        rejected: Vec<RejectedReport>,
    },
    /// A refusal.
    Error {
        /// Why.
        rejection: Rejection,
        /// The frame's id, where it had one.
        id: Option<FrameId>,
    },
    /// `unsubscribe` succeeded, also where there was no subscription.
    Unsubscribed {
        /// The application.
        app: AppId,
    },
    /// The answer to `ping`.
    Pong,
    /// The answer to `check_status`.
    Status(AppStatus),
    /// New log entries, live to those who watch. Never sent to a publisher: the library would read another shape.
    Logs(Vec<String>),
    /// Log entries of the past, in the shape that the asker reads.
    History(Vec<String>, HistoryShape),
    /// The commands that hold, oldest first.
    LastActions(AppId, Vec<IssuedCommand>),
    /// A switch, to publishers. The library dies where `data` is missing.
    Command(Command),
    /// What became of a command; `None` where it was not one that there is, or not allowed.
    CommandResponse(Option<Command>),
}

/// What `check_status` is told of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppStatus {
    /// The user may see it, and it is served.
    Active,
    /// The user may see it, and it is switched off.
    Inactive,
    /// It is unknown, another's, or not open to the library: these look alike.
    Unknown,
}

impl Outbound {
    /// The frame as JSON text.
    pub fn render(&self) -> String {
        let frame = match self {
            Self::AuthSuccess { app, user } => {
                json!({"type": "auth_success", "payload": {"appId": app, "userId": user}})
            }
            Self::AuthError => {
                json!({"type": "auth_error", "payload": {"message": "the user or the application is unknown"}})
            }
            Self::Ack { id, accepted, rejected } => {
                json!({"type": "ack", "payload": {"id": id, "accepted": accepted, "rejected": rejected}})
            }
            Self::Error { rejection, id } => {
                json!({"type": "error", "payload": error_payload(rejection, id.as_ref())})
            }
            Self::Unsubscribed { app } => json!({"type": "unsubscribed", "payload": {"appId": app}}),
            Self::Pong => json!({"type": "pong"}),
            Self::Status(status) => json!({"type": "status_response", "payload": status.payload()}),
            Self::Logs(entries) => return with_entries("logs", &logs::array(entries)),
            Self::History(entries, HistoryShape::Dashboard) => {
                return with_entries("history", &logs::array(entries));
            }
            Self::History(entries, HistoryShape::Library) => {
                return with_entries("request_history", &format!(r#"{{"logs":{}}}"#, logs::array(entries)));
            }
            Self::LastActions(app, given) => {
                let actions: Vec<_> = given.iter().map(|given| given.to_json(app)).collect();
                json!({"type": "get_last_actions", "payload": actions})
            }
            Self::Command(command) => json!({"type": "command", "data": command.to_json()}),
            Self::CommandResponse(Some(command)) => json!({"type": "command_response", "payload": {
                "success": true, "message": "the publishers are told", "data": command.to_json(),
            }}),
            Self::CommandResponse(None) => json!({"type": "command_response", "payload": {
                "success": false, "message": "there is no such command, or it is not yours to give",
            }}),
        };
        frame.to_string()
    }

    /// The refusal that a caller is told when the service itself fails.
    pub fn unavailable(id: Option<FrameId>) -> Self {
        Self::Error { rejection: Rejection::unavailable(), id }
    }
}

/// A frame around entries that are JSON already.
fn with_entries(kind: &str, payload: &str) -> String {
    format!(r#"{{"type":"{kind}","payload":{payload}}}"#)
}

impl AppStatus {
    /// The service knows no users beside the owners of applications and so denies none: a dashboard leaves for its
    /// login page where `userExists` is false.
    fn payload(self) -> serde_json::Value {
        let message = match self {
            Self::Active => "the app is active",
            Self::Inactive => "the app is inactive",
            Self::Unknown => "there is no such app for this user",
        };
        let has_access = self != Self::Unknown;
        json!({"success": self == Self::Active, "message": message, "status": {
            "userExists": true, "appExists": has_access, "userHasAccess": has_access,
            "appIsActive": self == Self::Active,
        }})
    }
}

#[derive(Serialize)]
struct ErrorPayload<'a> {
    #[serde(flatten)]
    rejection: &'a Rejection,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a FrameId>,
    retryable: bool,
}

fn error_payload<'a>(rejection: &'a Rejection, id: Option<&'a FrameId>) -> ErrorPayload<'a> {
    let code: Code = rejection.code;
    ErrorPayload { rejection, id, retryable: code.is_retryable() }
}

/// A report as viewers see it, live and in replays.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReportPayload<'a> {
    metrics: &'a RawValue,
    timestamp: TimestampMs,
    app_id: &'a AppId,
    source: &'a Source,
    id: String,
}

impl<'a> ReportPayload<'a> {
    /// `None` where the stored document is no JSON any more.
    pub(super) fn of(report: &'a Report) -> Option<Self> {
        let metrics = serde_json::from_str(report.document.as_str()).ok()?;
        Some(Self {
            metrics,
            timestamp: report.timestamp,
            app_id: &report.app,
            source: &report.source,
            id: report.id(),
        })
    }

    pub(super) fn render(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The dialect in which a connection is spoken to, decided by how it authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// This protocol.
    Modern,
    /// What the published dashboard reads.
    Legacy,
}

/// The live `metrics` frame of `report`.
///
/// The legacy payload is a superset: the published dashboard reads `payload.cpu.usage`, so the document's own
/// fields stand beside `metrics`, and ours come last, where a JSON reader lets them win.
pub fn live_frame(report: &Report, dialect: Dialect) -> Option<String> {
    let payload = ReportPayload::of(report)?.render();
    let payload = match dialect {
        Dialect::Modern => payload,
        Dialect::Legacy => beside(report.document.as_str(), &payload),
    };
    Some(format!(r#"{{"type":"metrics","payload":{payload}}}"#))
}

/// One object with the fields of `first`, then those of `second`; both are minified JSON objects.
fn beside(first: &str, second: &str) -> String {
    let head = first.strip_suffix('}').unwrap_or(first);
    let tail = second.strip_prefix('{').unwrap_or(second);
    let comma = if head == "{" { "" } else { "," };
    format!("{head}{comma}{tail}")
}

#[cfg(test)]
pub(crate) mod deadly;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::limits::MAX_OUTBOUND_BYTES;
    use crate::report::{Document, MAX_DOCUMENT_BYTES};
    use serde_json::Value;

    fn report(json: &str) -> Report {
        Report {
            app: AppId::new("shop").unwrap(),
            source: Source::new("web-1").unwrap(),
            timestamp: TimestampMs::clamped(1_795_352_461_387),
            document: Document::accept(json).unwrap(),
        }
    }

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_live_frame_names_report_instant_and_source() {
        let frame = live_frame(&report(r#"{"cpu":{"usage":61.4}}"#), Dialect::Modern).unwrap();
        assert_eq!(
            parsed(&frame),
            json!({"type": "metrics", "payload": {
                "metrics": {"cpu": {"usage": 61.4}}, "timestamp": "2026-11-22T13:01:01.387Z", "appId": "shop",
                "source": "web-1", "id": report(r#"{"cpu":{"usage":61.4}}"#).id(),
            }})
        );
    }

    #[test]
    fn the_legacy_payload_is_read_flat_and_nested() {
        let frame = parsed(&live_frame(&report(r#"{"cpu":{"usage":61.4}}"#), Dialect::Legacy).unwrap());
        assert_eq!(frame["payload"]["cpu"]["usage"], 61.4);
        assert_eq!(frame["payload"]["metrics"]["cpu"]["usage"], 61.4);
        assert_eq!(parsed(&live_frame(&report("{}"), Dialect::Legacy).unwrap())["payload"]["appId"], "shop");
    }

    #[test]
    fn a_document_cannot_forge_the_legacy_payloads_own_fields() {
        let frame =
            live_frame(&report(r#"{"appId":"other","timestamp":1,"metrics":2}"#), Dialect::Legacy).unwrap();
        let frame = parsed(&frame);
        assert_eq!(frame["payload"]["appId"], "shop");
        assert_eq!(frame["payload"]["metrics"]["appId"], "other");
    }

    #[test]
    fn the_largest_report_fits_a_frame_in_both_dialects() {
        let largest = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_DOCUMENT_BYTES - 8));
        for dialect in [Dialect::Modern, Dialect::Legacy] {
            assert!(live_frame(&report(&largest), dialect).unwrap().len() <= MAX_OUTBOUND_BYTES);
        }
    }

    #[test]
    fn a_refusal_tells_code_field_frame_and_whether_to_try_again() {
        let frame = Outbound::Error { rejection: Rejection::missing("type"), id: Some(FrameId::Number(7)) };
        assert_eq!(
            parsed(&frame.render()),
            json!({"type": "error", "payload": {
                "code": "missing_field", "message": "type is missing", "field": "type", "id": 7, "retryable": false,
            }})
        );
    }

    #[test]
    fn an_ack_tells_which_reports_were_refused() {
        let rejected = vec![RejectedReport::new(1, Rejection::unavailable())];
        let frame = parsed(&Outbound::Ack { id: FrameId::Text("b".into()), accepted: 1, rejected }.render());
        assert_eq!(frame["payload"]["accepted"], 1);
        assert_eq!(frame["payload"]["rejected"][0]["index"], 1);
        assert_eq!(frame["payload"]["rejected"][0]["code"], "unavailable");
        assert_eq!(frame["payload"]["rejected"][0]["retryable"], true);
    }
}
