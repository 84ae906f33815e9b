//! Which frames the service must not send to each client: a list that shares no code with the models.
//! Stricter than they are: it also rejects frames that a client would only ignore.

use serde_json::Value;

/// Largest frame that the service may send.
pub(super) const FRAME_BYTES_MAX: usize = 30 * 1024;
/// A status must have all of these.
const STATUS_FIELDS: [&str; 4] = ["userExists", "appExists", "userHasAccess", "appIsActive"];

/// The client that receives a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientKind {
    Library,
    Dashboard,
}

/// Why the frame must not be sent to this client; `None` if it may be.
pub(crate) fn why_incompatible(party: ClientKind, text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("an empty message");
    }
    if text.len() > FRAME_BYTES_MAX {
        return Some("a frame beyond 30 KB");
    }
    let Ok(frame) = serde_json::from_str::<Value>(text) else { return Some("not JSON") };
    if !frame.is_object() {
        return Some("not an object");
    }
    let Some(kind) = frame.get("type") else {
        let is_of_transport = frame["message"].is_string() && frame["connectionId"].is_string();
        return (!is_of_transport).then_some("neither a type nor an API Gateway error");
    };
    let Some(kind) = kind.as_str() else { return Some("a type that is not a string") };
    match party {
        ClientKind::Library => incompatible_with_library(kind, &frame),
        ClientKind::Dashboard => incompatible_with_dashboard(kind, &frame),
    }
}

fn incompatible_with_library(kind: &str, frame: &Value) -> Option<&'static str> {
    let payload = &frame["payload"];
    match kind {
        "auth_error" => Some("auth_error throws in the host application"),
        "clear" => Some("clear is answered with clear"),
        "connect" => Some("connect makes it another's publisher"),
        "auth_success" => (!payload["userId"].is_string()).then_some("auth_success without a user"),
        "get_last_actions" => incompatible_actions(payload),
        "command" => incompatible_command(&frame["data"]),
        "request_history" => {
            (!payload["logs"].is_array()).then_some("request_history without an array of logs")
        }
        "logs" => (!payload["logs"].is_array()).then_some("logs without an array of logs"),
        "metrics" => (!payload.is_object()).then_some("metrics without a payload"),
        _ => None,
    }
}

fn incompatible_with_dashboard(kind: &str, frame: &Value) -> Option<&'static str> {
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
        "logs" | "history" => (!payload.is_array()).then_some("logs that are not an array"),
        "get_last_actions" => incompatible_actions(payload),
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

fn incompatible_actions(actions: &Value) -> Option<&'static str> {
    let Some(actions) = actions.as_array() else { return Some("actions that are not an array") };
    actions.iter().find_map(|action| incompatible_command(&action["data"]))
}

fn incompatible_command(command: &Value) -> Option<&'static str> {
    if !command.is_object() {
        return Some("a command without its data");
    }
    let is_switch = matches!(command["type"].as_str(), Some("console_toggle" | "encryption_toggle"));
    (is_switch && !command["data"]["enabled"].is_boolean()).then_some("a switch that is neither on nor off")
}
