//! No frame that the service can render ends a process that runs the library, or makes the dashboard throw.

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::frame::envelope::FrameId;
use crate::frame::outbound::{AppStatus, Outbound, RejectedReport, live_frame};
use crate::frame::packing::MAX_OUTBOUND_BYTES;
use crate::frame::replay;
use crate::grant::Role;
use crate::ids::{AppId, Source, Subject};
use crate::legacy::command::Switch;
use crate::legacy::command::{Command, IssuedCommand};
use crate::legacy::frames::HistoryShape;
use crate::legacy::notice::Notice;
use crate::rejection::{Code, Rejection};
use crate::report::Document;
use crate::report::Report;
use crate::time::TimestampMs;

/// Why a client of `role` fails on the frame `text`; `None` if it does not.
pub(crate) fn failure(text: &str, role: Role) -> Option<&'static str> {
    let Ok(frame) = serde_json::from_str::<Value>(text) else { return Some("is not JSON") };
    if !frame["type"].is_string() {
        return Some("has no type");
    }
    if role == Role::Program { library_failure(&frame) } else { dashboard_failure(&frame) }
}

fn library_failure(frame: &Value) -> Option<&'static str> {
    let payload = &frame["payload"];
    match frame["type"].as_str()? {
        "auth_success" if !payload["userId"].is_string() => Some("dies without userId"),
        "auth_error" => Some("throws"),
        "clear" => Some("replies with clear, for ever"),
        "connect" => Some("takes other credentials"),
        "logs" => Some("reads payload.logs"),
        "metrics" if !payload.is_object() => Some("reads payload.metrics"),
        "request_history" if !payload["logs"].is_array() => Some("reads payload.logs"),
        "get_last_actions" if !is_actions(payload) => Some("reads each action's data"),
        "command" if !is_command(&frame["data"]) => Some("reads data.type and data.data"),
        _ => None,
    }
}

fn dashboard_failure(frame: &Value) -> Option<&'static str> {
    let payload = &frame["payload"];
    let is_entries = payload.as_array().is_some_and(|entries| entries.iter().all(Value::is_object));
    match frame["type"].as_str()? {
        "status_response" if !is_status(payload) => Some("reads payload.status"),
        "auth_error" if !payload["message"].is_string() => Some("reads payload.message"),
        "logs" | "history" if !is_entries => Some("maps payload"),
        "metrics" if !payload.is_object() => Some("reads payload flat"),
        "get_last_actions" if !is_actions(payload) => Some("reads each action's data"),
        "command_response" if !payload["success"].is_boolean() => Some("reads payload.success"),
        "clear" | "connect" => Some("is never sent"),
        _ => None,
    }
}

fn is_status(payload: &Value) -> bool {
    let fields = ["userExists", "appExists", "userHasAccess", "appIsActive"];
    payload["success"].is_boolean() && fields.iter().all(|field| payload["status"][field].is_boolean())
}

/// Of the types that the library does not have it reads nothing else, and prints them.
fn is_command(command: &Value) -> bool {
    let is_switch = |kind: &str| Switch::ALL.iter().any(|switch| switch.as_str() == kind);
    let kind = command["type"].as_str();
    kind.is_some_and(|kind| !is_switch(kind) || command["data"]["enabled"].is_boolean())
}

fn is_actions(payload: &Value) -> bool {
    payload.as_array().is_some_and(|actions| actions.iter().all(|action| is_command(&action["data"])))
}

/// Whether a frame of this kind is ever sent to a client of this role. Exhaustive, so that a new frame is classified.
fn is_sent_to(frame: &Outbound, role: Role) -> bool {
    match frame {
        Outbound::AuthError | Outbound::Logs(_) | Outbound::History(_, HistoryShape::Dashboard) => {
            role != Role::Program
        }
        Outbound::AuthSuccess { .. }
        | Outbound::Ack { .. }
        | Outbound::Error { .. }
        | Outbound::Unsubscribed { .. }
        | Outbound::Pong
        | Outbound::Status(_)
        | Outbound::History(_, HistoryShape::Library)
        | Outbound::LastActions(..)
        | Outbound::Command(_)
        | Outbound::CommandResponse(_) => true,
        Outbound::Notice(_) => role == Role::Program,
    }
}

fn every_frame() -> Vec<Outbound> {
    let (app, user) = (AppId::new("shop").unwrap(), Subject::new("ann").unwrap());
    let id = FrameId::Text("7".into());
    let rejected = vec![RejectedReport::new(0, Rejection::unauthorized())];
    let commands = Switch::ALL.map(|switch| Command { switch, enabled: switch == Switch::Console });
    let given =
        commands.map(|command| IssuedCommand { command, user: user.clone(), at: TimestampMs::clamped(1) });
    let entries = vec![json!({"level": "info", "message": "a\u{2028}\"b"}).to_string(), "{}".to_owned()];
    let mut frames = vec![
        Outbound::AuthSuccess { app: app.clone(), user },
        Outbound::AuthError,
        Outbound::Ack { id: id.clone(), accepted: 1, rejected },
        Outbound::Unsubscribed { app: app.clone() },
        Outbound::Pong,
        Outbound::CommandResponse(None),
    ];
    frames.extend(Code::ALL.map(|code| Outbound::Error {
        rejection: Rejection::new(code, "why").at("data"),
        id: Some(id.clone()),
    }));
    frames.extend([AppStatus::Active, AppStatus::Inactive, AppStatus::Unknown].map(Outbound::Status));
    frames.extend(commands.map(Outbound::Command));
    frames.extend(Notice::ALL.map(Outbound::Notice));
    frames.extend(commands.map(|command| Outbound::CommandResponse(Some(command))));
    for entries in [entries, Vec::new()] {
        frames.push(Outbound::Logs(entries.clone()));
        frames.extend(
            [HistoryShape::Dashboard, HistoryShape::Library]
                .map(|shape| Outbound::History(entries.clone(), shape)),
        );
    }
    frames.extend([given.to_vec(), Vec::new()].map(|given| Outbound::LastActions(app.clone(), given)));
    frames
}

#[test]
fn no_sent_frame_crashes_its_client() {
    for frame in every_frame() {
        for role in [Role::Program, Role::Page, Role::ForeignPage] {
            let text = frame.render();
            assert!(text.len() <= MAX_OUTBOUND_BYTES);
            if is_sent_to(&frame, role) {
                assert_eq!(failure(&text, role), None, "{role:?}: {text}");
            }
        }
    }
}

#[test]
fn no_document_crashes_a_client() {
    for document in [
        "{}",
        r#"{"type":"auth_error","payload":null,"logs":7,"metrics":null,"userId":[]}"#,
        r#"{"cpu":null,"data":{"type":"clear"}}"#,
    ] {
        let report = Report {
            app: AppId::new("shop").unwrap(),
            source: Source::new("web-1").unwrap(),
            timestamp: TimestampMs::clamped(1),
            document: Document::accept(document).unwrap(),
        };
        let live = [Dialect::Modern, Dialect::Legacy].map(|dialect| live_frame(&report, dialect).unwrap());
        let replayed = replay::frames(&report.app, std::slice::from_ref(&report), true);
        for text in live.iter().chain(&replayed) {
            for role in [Role::Program, Role::Page] {
                assert_eq!(failure(text, role), None, "{role:?}: {text}");
            }
        }
    }
}

#[test]
fn breaking_frames_are_recognised() {
    for (frame, program, page) in [
        (json!({"type": "auth_success", "payload": {}}), true, false),
        (json!({"type": "auth_error", "payload": {"message": "m"}}), true, false),
        (json!({"type": "clear"}), true, true),
        (json!({"type": "command", "data": {"type": "console_toggle"}}), true, false),
        (json!({"type": "command", "data": {"type": "NSL: why"}}), false, false),
        (json!({"type": "command", "data": {}}), true, false),
        (json!({"type": "get_last_actions", "payload": {}}), true, true),
        (json!({"type": "status_response", "payload": {"success": false}}), false, true),
        (json!({"type": "history", "payload": {"logs": []}}), false, true),
        (json!({"type": "request_history", "payload": []}), true, false),
        (json!({"payload": 1}), true, true),
        (json!({"type": "anything", "payload": null}), false, false),
    ] {
        let text = frame.to_string();
        assert_eq!(failure(&text, Role::Program).is_some(), program, "{text}");
        assert_eq!(failure(&text, Role::Page).is_some(), page, "{text}");
    }
    assert!(failure("", Role::Program).is_some() && failure("no json", Role::Page).is_some());
}
