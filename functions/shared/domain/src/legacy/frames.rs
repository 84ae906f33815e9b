//! Frames of the library and its dashboard, other than reports. Reading their types never fails: the library ignores
//! errors and its dashboard cannot show them, so a malformed field counts as not sent, or as [`Field::Malformed`].

use serde::Deserialize;
use serde_json::value::RawValue;

use super::command::Command;
use super::ids::id_or_number;
use super::logs::MAX_ENTRY_BYTES;
use crate::frame::envelope::Envelope;
use crate::frame::fields::{self, Field};
use crate::ids::{AppId, UserId};
use crate::rejection::Rejection;

/// The only reply type that a frame may ask for: others could end the process that asks.
const REQUEST_HISTORY: &str = "request_history";

/// The shape of log entries that the sender of `history` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryShape {
    /// `history`, whose payload is an array.
    Dashboard,
    /// `request_history`, whose payload has the array as `logs`.
    Library,
}

/// What such a frame asks for. A frame without `appId` or `userId` is about those of its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegacyRequest {
    /// `check_status`: whether this user has this app, and whether it is active.
    Status {
        /// The user.
        user: Field<UserId>,
        /// The app.
        app: Field<AppId>,
    },
    /// `history` or `request_history`: the newest log entries.
    History {
        /// The app.
        app: Field<AppId>,
        /// In which shape.
        shape: HistoryShape,
    },
    /// `get_last_actions`: the last command of each type.
    LastActions {
        /// The app; the dashboard names none.
        app: Field<AppId>,
    },
    /// `logs`: new log entries.
    Logs {
        /// The app.
        app: Field<AppId>,
        /// The user.
        user: Field<UserId>,
        /// The accepted entries, each a JSON object.
        entries: Vec<String>,
        /// How many entries were dropped.
        dropped: usize,
    },
    /// `command`: a switch of the publishers.
    Command {
        /// The app.
        app: Field<AppId>,
        /// The command, if it is valid.
        command: Option<Command>,
    },
    /// `request_metrics`: the last report.
    Metrics {
        /// The app.
        app: Field<AppId>,
    },
    /// An `auth` of the library or its dashboard with ids that no app or user can have, or a malformed key; a client of
    /// this protocol gets the rejection.
    MalformedAuth(Rejection),
    /// `filter`, `clear`: nothing happens.
    Ignored,
}

/// The ids in the `data` of the library's `auth`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LegacyAuth {
    #[serde(deserialize_with = "id_or_number")]
    pub(crate) app_id: Field<AppId>,
    #[serde(deserialize_with = "id_or_number")]
    pub(crate) user_id: Field<UserId>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LegacyFields<'a> {
    #[serde(deserialize_with = "id_or_number")]
    app_id: Field<AppId>,
    #[serde(deserialize_with = "id_or_number")]
    user_id: Field<UserId>,
    #[serde(rename = "type")]
    kind: Field<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    logs: Option<&'a RawValue>,
    #[serde(borrow)]
    encryption: Option<&'a RawValue>,
}

impl LegacyRequest {
    /// Reads a frame; `None` if its type is not one of the library's.
    pub(crate) fn read(envelope: &Envelope<'_>) -> Option<Self> {
        let fields: LegacyFields<'_> = envelope.fields().unwrap_or_default();
        let app = fields.app_id;
        Some(match envelope.kind.as_str() {
            "check_status" => Self::Status { user: fields.user_id, app },
            "history" => Self::History { app, shape: history_shape(envelope) },
            REQUEST_HISTORY => Self::History { app, shape: HistoryShape::Library },
            "get_last_actions" => Self::LastActions { app },
            "logs" => {
                let LogEntries { entries, dropped } = LogEntries::read(fields.logs, fields.encryption);
                Self::Logs { app, user: fields.user_id, entries, dropped }
            }
            "command" => Self::Command { app, command: Command::read(fields.kind, fields.data) },
            "request_metrics" => Self::Metrics { app },
            "filter" | "clear" => Self::Ignored,
            _ => return None,
        })
    }
}

fn history_shape(envelope: &Envelope<'_>) -> HistoryShape {
    #[derive(Deserialize)]
    struct SentConfig {
        response_type: String,
    }
    match envelope.sent_config.map(|config| fields::object(config.get())) {
        Some(Ok(SentConfig { response_type })) if response_type == REQUEST_HISTORY => HistoryShape::Library,
        _ => HistoryShape::Dashboard,
    }
}

/// The entries of a `logs` frame.
#[derive(Default)]
struct LogEntries {
    entries: Vec<String>,
    /// Entries that were dropped because they are not objects or too large.
    dropped: usize,
}

impl LogEntries {
    /// Reads `logs`, an array or a single entry; each entry gets the frame's `encryption`.
    fn read(logs: Option<&RawValue>, encryption: Option<&RawValue>) -> Self {
        let Some(logs) = logs else { return Self::default() };
        let sent: Vec<&RawValue> = serde_json::from_str(logs.get()).unwrap_or_else(|_| vec![logs]);
        let count = sent.len();
        let read = sent.into_iter().filter_map(|entry| with_encryption(entry.get(), encryption));
        let entries: Vec<String> = read.filter(|entry| entry.len() <= MAX_ENTRY_BYTES).collect();
        Self { dropped: count - entries.len(), entries }
    }
}

/// `entry` as it was sent, with `encryption` added unless it has its own; `None` if it is not an object.
fn with_encryption(entry: &str, encryption: Option<&RawValue>) -> Option<String> {
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(borrow)]
        encryption: Option<&'a RawValue>,
    }
    let own: Entry<'_> = fields::object(entry).ok()?;
    let Some(added) = encryption.filter(|_| own.encryption.is_none()) else { return Some(entry.to_owned()) };
    let head = entry.trim_end().strip_suffix('}')?.trim_end();
    let comma = if head == "{" { "" } else { "," };
    Some(format!("{head}{comma}\"encryption\":{added}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::control::{ControlFrame, Request};
    use crate::legacy::command::Switch;
    use serde_json::{Value, json};

    fn read(frame: &Value) -> LegacyRequest {
        match ControlFrame::read(&frame.to_string()).unwrap().request {
            Request::Legacy(request) => request,
            other => panic!("{other:?}"),
        }
    }

    fn shop() -> Field<AppId> {
        Field::Valid(AppId::new("shop").unwrap())
    }

    #[test]
    fn recorded_frames_of_the_library_are_read() {
        let recorded = include_str!("../../../../../tests/fixtures/library-frames.jsonl");
        let mut shapes = Vec::new();
        for line in recorded.lines().filter(|line| !line.contains("\"send_metrics\"")) {
            match ControlFrame::read(line).unwrap().request {
                Request::Legacy(LegacyRequest::History { app: Field::Valid(_), shape }) => shapes.push(shape),
                Request::Legacy(LegacyRequest::Logs { app, user, entries, dropped }) => {
                    assert!(matches!((app, user), (Field::Valid(_), Field::Valid(_))));
                    assert_eq!((entries.len(), dropped), (1, 0));
                }
                request => assert!(matches!(request, Request::Auth { .. }), "{request:?}"),
            }
        }
        assert_eq!(shapes, [HistoryShape::Library]);
    }

    #[test]
    fn fields_of_a_frame_without_data_are_absent() {
        for data in [json!(null), json!([]), json!("x"), json!(7), json!({})] {
            assert_eq!(
                read(&json!({"type": "check_status", "data": data})),
                LegacyRequest::Status { user: Field::Absent, app: Field::Absent }
            );
            let (app, user) = (Field::Absent, Field::Absent);
            let logs = LegacyRequest::Logs { app, user, entries: Vec::new(), dropped: 0 };
            assert_eq!(read(&json!({"type": "logs", "data": data})), logs);
        }
        let absent = LegacyRequest::LastActions { app: Field::Absent };
        assert_eq!(read(&json!({"type": "get_last_actions"})), absent);
    }

    #[test]
    fn number_is_read_as_the_id_with_its_digits() {
        let app = |id: Value| match read(&json!({"type": "request_metrics", "data": {"appId": id}})) {
            LegacyRequest::Metrics { app } => app,
            other => panic!("{other:?}"),
        };
        assert_eq!(app(json!(7)), Field::Valid(AppId::new("7").unwrap()));
        for id in [json!(""), json!("a#b"), json!({}), json!(true)] {
            assert_eq!(app(id), Field::Malformed);
        }
        assert_eq!(app(json!(null)), Field::Absent);
    }

    #[test]
    fn only_request_history_is_accepted_as_reply_type() {
        for (config, shape) in [
            (json!({"response_type": "request_history"}), HistoryShape::Library),
            (json!({"response_type": "clear"}), HistoryShape::Dashboard),
            (json!({"response_type": 7}), HistoryShape::Dashboard),
            (json!("request_history"), HistoryShape::Dashboard),
        ] {
            let frame = json!({"type": "history", "ws_sent_config": config, "data": {"appId": "shop"}});
            assert_eq!(read(&frame), LegacyRequest::History { app: shop(), shape }, "{frame}");
        }
    }

    #[test]
    fn entries_keep_their_text_and_get_the_encryption() {
        let entries = |data: Value| match read(&json!({"type": "logs", "data": data})) {
            LegacyRequest::Logs { entries, dropped, .. } => {
                let parse = |text: &String| serde_json::from_str::<Value>(text).unwrap();
                (entries.iter().map(parse).collect::<Vec<_>>(), dropped)
            }
            other => panic!("{other:?}"),
        };
        let large = json!({"message": "x".repeat(MAX_ENTRY_BYTES)});
        let sent = json!({"logs": [{"a": 1}, 7, null, "x", [1], {}, large]});
        assert_eq!(entries(sent), (vec![json!({"a": 1}), json!({})], 5));
        assert_eq!(entries(json!({"logs": {"a": 1}})), (vec![json!({"a": 1})], 0));
        let encryption = json!({"isEncrypted": true});
        let marked = entries(json!({"logs": [{"a": 1}, {}, {"encryption": 2}], "encryption": encryption}));
        let expected = vec![
            json!({"a": 1, "encryption": encryption}),
            json!({"encryption": encryption}),
            json!({"encryption": 2}),
        ];
        assert_eq!(marked, (expected, 0));
    }

    #[test]
    fn only_two_switches_are_commands() {
        let command = |data: Value| match read(&json!({"type": "command", "data": data})) {
            LegacyRequest::Command { command, .. } => command,
            other => panic!("{other:?}"),
        };
        let off = Command { switch: Switch::Console, enabled: false };
        assert_eq!(
            command(json!({"type": "console_toggle", "data": {"enabled": false, "key": "k"}})),
            Some(off)
        );
        for data in [
            json!({}),
            json!({"type": "console_toggle"}),
            json!({"type": "console_toggle", "data": null}),
            json!({"type": "console_toggle", "data": {"enabled": "true"}}),
            json!({"type": "shutdown", "data": {"enabled": true}}),
        ] {
            assert_eq!(command(data.clone()), None, "{data}");
        }
    }
}
