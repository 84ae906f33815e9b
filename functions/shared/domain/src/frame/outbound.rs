//! Frames that the service sends, rendered once per frame rather than once per receiver.

use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::envelope::FrameId;
use super::packing::array;
use crate::dialect::Dialect;
use crate::ids::{AppId, Source, Subject};
use crate::isolation::isolated;
use crate::legacy::command::{Command, IssuedCommand};
use crate::legacy::frames::HistoryShape;
use crate::legacy::notice::Notice;
use crate::rejection::{Code, Rejection};
use crate::report::Report;
use crate::time::TimestampMs;

/// A rejected report of a frame, as an `ack` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedReport {
    /// Its position in the frame, from 0.
    pub index: usize,
    /// The reason.
    #[serde(flatten)]
    pub rejection: Rejection,
    /// Whether the same report may be accepted later.
    pub retryable: bool,
}

impl RejectedReport {
    /// The rejection of report `index`.
    pub fn new(index: usize, rejection: Rejection) -> Self {
        Self { index, retryable: rejection.code.is_retryable(), rejection }
    }
}

/// A frame to a client, other than reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outbound {
    /// `auth` succeeded. Without `userId`, the library's process ends.
    AuthSuccess {
        /// The app of the `auth`.
        app: AppId,
        /// The user that the connection acts for.
        user: Subject,
    },
    /// The `auth` of a page failed. Never sent to a program: the library throws.
    AuthError,
    /// The result of a frame of reports that has an id.
    Ack {
        /// The frame's id.
        id: FrameId,
        /// How many of its reports are stored.
        accepted: usize,
        /// The others.
        rejected: Vec<RejectedReport>,
    },
    /// A rejection.
    Error {
        /// The reason.
        rejection: Rejection,
        /// The frame's id, if it has one.
        id: Option<FrameId>,
    },
    /// `unsubscribe` succeeded, even if there was no subscription.
    Unsubscribed {
        /// The app.
        app: AppId,
    },
    /// The reply to `ping`.
    Pong,
    /// The reply to `check_status`.
    Status(AppStatus),
    /// New log entries, for viewers. Never sent to a publisher: the library expects another shape.
    Logs(Vec<String>),
    /// Stored log entries, in the shape that their receiver reads.
    History(Vec<String>, HistoryShape),
    /// The last command of each type, oldest first.
    LastActions(AppId, Vec<IssuedCommand>),
    /// A switch, for publishers. Without `data`, the library's process ends.
    Command(Command),
    /// Why a program gets nothing, as a command that no version of the library has.
    Notice(Notice),
    /// The reply to a command; `None` if it is unknown or not allowed.
    CommandResponse(Option<Command>),
}

/// The status of an app in the reply to `check_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppStatus {
    /// The user may see it, and it is active.
    Active,
    /// The user may see it, and it is inactive.
    Inactive,
    /// It is unknown, another user's, or without the legacy flag: indistinguishable on purpose.
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
            Self::Logs(entries) => return with_entries("logs", &array(entries)),
            Self::History(entries, HistoryShape::Dashboard) => {
                return with_entries("history", &array(entries));
            }
            Self::History(entries, HistoryShape::Library) => {
                return with_entries("request_history", &format!(r#"{{"logs":{}}}"#, array(entries)));
            }
            Self::LastActions(app, given) => {
                let actions: Vec<_> = given.iter().map(|given| given.to_json(app)).collect();
                json!({"type": "get_last_actions", "payload": actions})
            }
            Self::Command(command) => json!({"type": "command", "data": command.to_json()}),
            Self::Notice(notice) => json!({"type": "command", "data": {"type": notice.text()}}),
            Self::CommandResponse(Some(command)) => json!({"type": "command_response", "payload": {
                "success": true, "message": "the publishers were notified", "data": command.to_json(),
            }}),
            Self::CommandResponse(None) => json!({"type": "command_response", "payload": {
                "success": false, "message": "the command is unknown or not allowed",
            }}),
        };
        frame.to_string()
    }

    /// The reply when the service itself fails.
    pub fn unavailable(id: Option<FrameId>) -> Self {
        Self::Error { rejection: Rejection::unavailable(), id }
    }
}

/// A frame around entries that are JSON already.
fn with_entries(kind: &str, payload: &str) -> String {
    format!(r#"{{"type":"{kind}","payload":{payload}}}"#)
}

impl AppStatus {
    /// `userExists` is always true: the service stores no users, and the dashboard goes to its login page on false.
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
    /// `report` as JSON; `None` if its stored document is not, or it cannot be rendered at all: others go on.
    pub(super) fn render(report: &'a Report) -> Option<String> {
        isolated(|| serde_json::to_string(&Self::of(report)?).ok()).unwrap_or_default()
    }

    fn of(report: &'a Report) -> Option<Self> {
        let metrics = serde_json::from_str(report.document.as_str()).ok()?;
        Some(Self {
            metrics,
            timestamp: report.timestamp,
            app_id: &report.app,
            source: &report.source,
            id: report.id(),
        })
    }
}

/// The live `metrics` frame of `report`.
///
/// The library's dashboard reads `payload.cpu.usage`, so its payload also has the fields of the document. Ours come last:
/// of repeated keys, a JSON reader takes the last.
pub fn live_frame(report: &Report, dialect: Dialect) -> Option<String> {
    let payload = ReportPayload::render(report)?;
    let payload = match dialect {
        Dialect::Modern => payload,
        Dialect::Legacy => merged(report.document.as_str(), &payload),
    };
    Some(format!(r#"{{"type":"metrics","payload":{payload}}}"#))
}

/// One object with the fields of `first`, then those of `second`; both are minified JSON objects.
fn merged(first: &str, second: &str) -> String {
    let head = first.strip_suffix('}').unwrap_or(first);
    let tail = second.strip_prefix('{').unwrap_or(second);
    let comma = if head == "{" { "" } else { "," };
    format!("{head}{comma}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::packing::MAX_OUTBOUND_BYTES;
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
    fn live_frame_has_report_timestamp_and_source() {
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
    fn legacy_payload_is_flat_and_nested() {
        let frame = parsed(&live_frame(&report(r#"{"cpu":{"usage":61.4}}"#), Dialect::Legacy).unwrap());
        assert_eq!(frame["payload"]["cpu"]["usage"], 61.4);
        assert_eq!(frame["payload"]["metrics"]["cpu"]["usage"], 61.4);
        assert_eq!(parsed(&live_frame(&report("{}"), Dialect::Legacy).unwrap())["payload"]["appId"], "shop");
    }

    #[test]
    fn document_cannot_override_fields_of_the_legacy_payload() {
        let frame =
            live_frame(&report(r#"{"appId":"other","timestamp":1,"metrics":2}"#), Dialect::Legacy).unwrap();
        let frame = parsed(&frame);
        assert_eq!(frame["payload"]["appId"], "shop");
        assert_eq!(frame["payload"]["metrics"]["appId"], "other");
    }

    #[test]
    fn largest_report_fits_a_frame_in_both_dialects() {
        let largest = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_DOCUMENT_BYTES - 8));
        for dialect in [Dialect::Modern, Dialect::Legacy] {
            assert!(live_frame(&report(&largest), dialect).unwrap().len() <= MAX_OUTBOUND_BYTES);
        }
    }

    #[test]
    fn error_has_code_field_id_and_retryable() {
        let frame = Outbound::Error { rejection: Rejection::missing("type"), id: Some(FrameId::Number(7)) };
        assert_eq!(
            parsed(&frame.render()),
            json!({"type": "error", "payload": {
                "code": "missing_field", "message": "type is missing", "field": "type", "id": 7, "retryable": false,
            }})
        );
    }
}
