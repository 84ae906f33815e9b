//! What no frame of the service may be, for each party: a list of its own, which shares no code with the models.
//!
//! It is stricter than they are: it also refuses what merely would show nothing. Ruled by docs/PROTOCOL.md.

use serde_json::Value;

/// No frame of the service is larger.
const FRAME_BYTES_MAX: usize = 30 * 1024;
/// What a status tells, always all of it.
const STATUS_FIELDS: [&str; 4] = ["userExists", "appExists", "userHasAccess", "appIsActive"];

/// Who is listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Library,
    Dashboard,
}

/// Why the frame must not reach this party, if it must not.
pub(crate) fn why_deadly(party: Party, text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("an empty message");
    }
    if text.len() > FRAME_BYTES_MAX {
        return Some("a frame beyond 30 KB");
    }
    let Ok(frame) = serde_json::from_str::<Value>(text) else { return Some("no JSON") };
    if !frame.is_object() {
        return Some("no object");
    }
    let Some(kind) = frame.get("type") else {
        let is_of_transport = frame["message"].is_string() && frame["connectionId"].is_string();
        return (!is_of_transport).then_some("neither a type nor a transport's error");
    };
    let Some(kind) = kind.as_str() else { return Some("a type that is no text") };
    match party {
        Party::Library => deadly_to_library(kind, &frame),
        Party::Dashboard => deadly_to_dashboard(kind, &frame),
    }
}

fn deadly_to_library(kind: &str, frame: &Value) -> Option<&'static str> {
    let payload = &frame["payload"];
    match kind {
        "auth_error" => Some("auth_error throws in the host application"),
        "clear" => Some("clear is answered with clear"),
        "connect" => Some("connect makes it another's publisher"),
        "auth_success" => (!payload["userId"].is_string()).then_some("auth_success without a user"),
        "get_last_actions" => deadly_actions(payload),
        "command" => deadly_command(&frame["data"]),
        "request_history" => {
            (!payload["logs"].is_array()).then_some("request_history without an array of logs")
        }
        "logs" => (!payload["logs"].is_array()).then_some("logs without an array of logs"),
        "metrics" => (!payload.is_object()).then_some("metrics without a payload"),
        _ => None,
    }
}

fn deadly_to_dashboard(kind: &str, frame: &Value) -> Option<&'static str> {
    let payload = &frame["payload"];
    match kind {
        "auth_success" => (!payload["userId"].is_string()).then_some("auth_success without a user"),
        "auth_error" => (!payload["message"].is_string()).then_some("auth_error without a message"),
        "status_response" => {
            let is_whole = payload["success"].is_boolean()
                && payload["message"].is_string()
                && STATUS_FIELDS.iter().all(|field| payload["status"][*field].is_boolean());
            (!is_whole).then_some("a status that is not whole")
        }
        "logs" | "history" => (!payload.is_array()).then_some("logs that are no array"),
        "get_last_actions" => deadly_actions(payload),
        "metrics" => {
            let is_flat_and_nested = payload["metrics"].as_object().is_some_and(|metrics| {
                let ours = ["metrics", "timestamp", "appId", "source", "id"];
                metrics.iter().all(|(name, value)| ours.contains(&name.as_str()) || payload[name] == *value)
            });
            (!is_flat_and_nested).then_some("metrics that are not there twice, flat and nested")
        }
        "command_response" => (!payload.is_object()).then_some("command_response without a payload"),
        _ => None,
    }
}

fn deadly_actions(actions: &Value) -> Option<&'static str> {
    let Some(actions) = actions.as_array() else { return Some("actions that are no array") };
    actions.iter().find_map(|action| deadly_command(&action["data"]))
}

fn deadly_command(command: &Value) -> Option<&'static str> {
    if !command.is_object() {
        return Some("a command without its data");
    }
    let is_switch = matches!(command["type"].as_str(), Some("console_toggle" | "encryption_toggle"));
    (is_switch && !command["data"]["enabled"].is_boolean()).then_some("a switch that is neither on nor off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_party_wants_kills_the_other() {
        let array = r#"{"type":"logs","payload":[{"id":"1"}]}"#;
        assert_eq!(why_deadly(Party::Dashboard, array), None);
        assert!(why_deadly(Party::Library, array).is_some());
        let object = r#"{"type":"logs","payload":{"logs":[]}}"#;
        assert_eq!(why_deadly(Party::Library, object), None);
        assert!(why_deadly(Party::Dashboard, object).is_some());
        let refusal = r#"{"type":"auth_error","payload":{"message":"m"}}"#;
        assert_eq!(why_deadly(Party::Dashboard, refusal), None);
        assert!(why_deadly(Party::Library, refusal).is_some());
    }

    #[test]
    fn what_is_no_frame_kills_both() {
        let large = format!(r#"{{"type":"pong","x":"{}"}}"#, "x".repeat(FRAME_BYTES_MAX));
        for text in ["", "x", "null", "[]", "{}", r#"{"type":7}"#, r#"{"message":"m"}"#, large.as_str()] {
            assert!(why_deadly(Party::Library, text).is_some(), "{text:.40}");
            assert!(why_deadly(Party::Dashboard, text).is_some(), "{text:.40}");
        }
        let transport = r#"{"message":"Forbidden","connectionId":"x=","requestId":"y="}"#;
        assert_eq!(why_deadly(Party::Library, transport), None);
    }

    #[test]
    fn a_report_must_be_there_flat_and_nested() {
        let both =
            r#"{"type":"metrics","payload":{"cpu":{"usage":1},"metrics":{"cpu":{"usage":1}},"id":"i"}}"#;
        assert_eq!(why_deadly(Party::Dashboard, both), None);
        let nested = r#"{"type":"metrics","payload":{"metrics":{"cpu":{"usage":1}},"id":"i"}}"#;
        assert!(why_deadly(Party::Dashboard, nested).is_some());
    }
}
