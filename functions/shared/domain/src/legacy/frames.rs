//! The types that the published library and its dashboard send, beside `auth` and reports.
//!
//! Owns their reading, which never fails: what is missing or malformed reads as nothing, for the library cannot be
//! told and its dashboard would not understand. Refuses to decide anything. Ruled by protocol.md §2.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::logs::MAX_ENTRY_BYTES;
use crate::frame::envelope::Envelope;
use crate::frame::fields;
use crate::ids::{AppId, MalformedId, UserId};
use crate::legacy::command::Command;

/// The one wish for the type of an answer that is granted: any other could be a type that kills.
const REQUEST_HISTORY: &str = "request_history";

/// A thing that a frame may name, or leave to the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdField<T> {
    /// Nothing is named.
    Absent,
    /// This one.
    Valid(T),
    /// Something that is no name.
    Malformed,
}

/// The shape that the sender of `history` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryShape {
    /// The dashboard's: `history`, whose payload is an array.
    Dashboard,
    /// The library's: `request_history`, whose payload has the array as `logs`.
    Library,
}

/// What such a frame asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegacyRequest {
    /// `check_status`: does this user have this application, and is it switched on?
    Status {
        /// The user.
        user: IdField<UserId>,
        /// The application.
        app: IdField<AppId>,
    },
    /// `history` or `request_history`: the newest log entries.
    History {
        /// Of which application.
        app: IdField<AppId>,
        /// In which shape.
        shape: HistoryShape,
    },
    /// `get_last_actions`: the commands that hold.
    LastActions {
        /// Of which application; the dashboard names none.
        app: IdField<AppId>,
    },
    /// `logs`: new log entries.
    Logs {
        /// Of which application.
        app: IdField<AppId>,
        /// The entries that can be taken, each a JSON object.
        entries: Vec<String>,
        /// How many could not.
        dropped: usize,
    },
    /// `command`: a switch of the publishers.
    Command {
        /// Of which application.
        app: IdField<AppId>,
        /// The switch, where it is one that there is.
        command: Option<Command>,
    },
    /// `request_metrics`: the last known report.
    Metrics {
        /// Of which application.
        app: IdField<AppId>,
    },
    /// `filter` and `clear`: nothing that the service does.
    Ignored,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawNames<'a> {
    #[serde(borrow)]
    app_id: Option<&'a RawValue>,
    #[serde(borrow)]
    user_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    logs: Option<&'a RawValue>,
    #[serde(borrow)]
    encryption: Option<&'a RawValue>,
}

impl LegacyRequest {
    /// Reads a frame; `None` where its type is none of the library's.
    pub(crate) fn read(envelope: &Envelope<'_>) -> Option<Self> {
        let raw: RawNames<'_> = envelope.data.and_then(|data| fields::object(data.get())).unwrap_or_default();
        let app = named(raw.app_id);
        Some(match envelope.kind.as_ref() {
            "check_status" => Self::Status { user: named(raw.user_id), app },
            "history" => Self::History { app, shape: wished_shape(envelope) },
            REQUEST_HISTORY => Self::History { app, shape: HistoryShape::Library },
            "get_last_actions" => Self::LastActions { app },
            "logs" => {
                let (entries, dropped) = read_entries(raw.logs, raw.encryption);
                Self::Logs { app, entries, dropped }
            }
            "command" => {
                let command = raw.kind.zip(raw.data).and_then(|(kind, data)| Command::read(kind, data));
                Self::Command { app, command }
            }
            "request_metrics" => Self::Metrics { app },
            "filter" | "clear" => Self::Ignored,
            _ => return None,
        })
    }
}

/// An id that may have been sent as a number.
fn named<I: TryFrom<String, Error = MalformedId>>(raw: Option<&RawValue>) -> IdField<I> {
    let Some(raw) = raw else { return IdField::Absent };
    fields::id_or_number("id", raw).map_or(IdField::Malformed, IdField::Valid)
}

fn wished_shape(envelope: &Envelope<'_>) -> HistoryShape {
    #[derive(Deserialize)]
    struct SentConfig {
        response_type: String,
    }
    let wish: Option<SentConfig> = envelope.sent_config.and_then(|raw| fields::object(raw.get()));
    match wish {
        Some(wish) if wish.response_type == REQUEST_HISTORY => HistoryShape::Library,
        _ => HistoryShape::Dashboard,
    }
}

/// The entries of `logs`, an array or a single one, each with the frame's mark of its encryption; and how many are
/// no objects or too large.
fn read_entries(logs: Option<&RawValue>, encryption: Option<&RawValue>) -> (Vec<String>, usize) {
    let Some(logs) = logs else { return (Vec::new(), 0) };
    let sent: Vec<&RawValue> = serde_json::from_str(logs.get()).unwrap_or_else(|_| vec![logs]);
    let count = sent.len();
    let taken = sent.into_iter().filter_map(|entry| marked(entry.get(), encryption));
    let entries: Vec<String> = taken.filter(|entry| entry.len() <= MAX_ENTRY_BYTES).collect();
    let dropped = count - entries.len();
    (entries, dropped)
}

/// `entry` as it was sent, with `encryption` beside its own fields unless it has one; `None` where it is no object.
fn marked(entry: &str, encryption: Option<&RawValue>) -> Option<String> {
    #[derive(Deserialize)]
    struct Marked<'a> {
        #[serde(borrow)]
        encryption: Option<&'a RawValue>,
    }
    let own: Marked<'_> = fields::object(entry)?;
    let Some(mark) = encryption.filter(|_| own.encryption.is_none()) else { return Some(entry.to_owned()) };
    let head = entry.trim_end().strip_suffix('}')?.trim_end();
    let comma = if head == "{" { "" } else { "," };
    Some(format!("{head}{comma}\"encryption\":{}}}", mark.get()))
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

    fn shop() -> IdField<AppId> {
        IdField::Valid(AppId::new("shop").unwrap())
    }

    #[test]
    fn every_recorded_frame_of_the_library_is_read() {
        let recorded = include_str!("../../../../../tests/fixtures/library-frames.jsonl");
        let mut shapes = Vec::new();
        for line in recorded.lines().filter(|line| !line.contains("\"send_metrics\"")) {
            match ControlFrame::read(line).unwrap().request {
                Request::Legacy(LegacyRequest::History { app: IdField::Valid(_), shape }) => {
                    shapes.push(shape)
                }
                Request::Legacy(LegacyRequest::Logs { app: IdField::Valid(_), entries, dropped }) => {
                    assert_eq!((entries.len(), dropped), (1, 0));
                }
                request => assert!(matches!(request, Request::Auth { .. }), "{request:?}"),
            }
        }
        assert_eq!(shapes, [HistoryShape::Library]);
    }

    #[test]
    fn a_frame_without_payload_leaves_all_to_the_connection() {
        for data in [json!(null), json!([]), json!("x"), json!(7), json!({})] {
            assert_eq!(
                read(&json!({"type": "check_status", "data": data})),
                LegacyRequest::Status { user: IdField::Absent, app: IdField::Absent }
            );
            let logs = LegacyRequest::Logs { app: IdField::Absent, entries: Vec::new(), dropped: 0 };
            assert_eq!(read(&json!({"type": "logs", "data": data})), logs);
        }
        let named_nothing = LegacyRequest::LastActions { app: IdField::Absent };
        assert_eq!(read(&json!({"type": "get_last_actions"})), named_nothing);
    }

    #[test]
    fn a_number_is_taken_for_the_id_it_spells_and_nonsense_for_none() {
        let app = |id: Value| match read(&json!({"type": "request_metrics", "data": {"appId": id}})) {
            LegacyRequest::Metrics { app } => app,
            other => panic!("{other:?}"),
        };
        assert_eq!(app(json!(7)), IdField::Valid(AppId::new("7").unwrap()));
        for id in [json!(""), json!("a#b"), json!({}), json!(true)] {
            assert_eq!(app(id), IdField::Malformed);
        }
        assert_eq!(app(json!(null)), IdField::Absent);
    }

    #[test]
    fn no_wish_for_an_answers_type_is_granted_but_the_librarys() {
        for (wish, shape) in [
            (json!({"response_type": "request_history"}), HistoryShape::Library),
            (json!({"response_type": "clear"}), HistoryShape::Dashboard),
            (json!({"response_type": 7}), HistoryShape::Dashboard),
            (json!("request_history"), HistoryShape::Dashboard),
        ] {
            let frame = json!({"type": "history", "ws_sent_config": wish, "data": {"appId": "shop"}});
            assert_eq!(read(&frame), LegacyRequest::History { app: shop(), shape }, "{frame}");
        }
    }

    #[test]
    fn entries_are_taken_as_sent_with_their_mark_and_without_what_is_none() {
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
        let mark = json!({"isEncrypted": true});
        let marked = entries(json!({"logs": [{"a": 1}, {}, {"encryption": 2}], "encryption": mark}));
        let expected =
            vec![json!({"a": 1, "encryption": mark}), json!({"encryption": mark}), json!({"encryption": 2})];
        assert_eq!(marked, (expected, 0));
    }

    #[test]
    fn only_the_two_switches_on_or_off_are_commands() {
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
