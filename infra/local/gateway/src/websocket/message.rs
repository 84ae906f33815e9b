//! One frame to one function: the invocation, and what of its result reaches the client.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use bytes::Bytes;
use serde_json::{Map, Value as Json};

use super::Gate;
use super::close::End;
use super::events::Session;
use super::listen::error_body;
use super::registry::Live;
use super::select::selected;
use crate::lambda::InvokeError;

/// API Gateway's greatest integration timeout, which also bounds authorizers.
pub(crate) const MAX_PATIENCE: Duration = Duration::from_secs(29);
/// The route of what no other route takes.
const DEFAULT: &str = "$default";

/// Hands a frame to its route and sends what the route answers.
pub(crate) async fn handle(gate: Arc<Gate>, live: Arc<Live>, text: String) {
    let session = &live.session;
    let key = selected(&text, &gate.plan.selection).filter(|key| !key.starts_with('$'));
    let found = key.as_deref().and_then(|key| gate.plan.routes.get_key_value(key));
    let Some((key, route)) = found.or_else(|| gate.plan.routes.get_key_value(DEFAULT)) else {
        let request_id = crate::ids::gateway_id();
        return send(&live, error_body("Forbidden", session, &request_id).to_string());
    };
    let event = gate.api.message_event(session, key, &text);
    let result = gate.invoker.invoke(&route.function, &event.body, route.timeout).await;
    let failure = match result {
        Ok(result) => match Proxied::read(&result) {
            // A result without a body is an empty message: API Gateway sends that too.
            Some(proxied) if route.two_way => return send(&live, proxied.body),
            Some(_) => return,
            None => "Internal server error",
        },
        Err(InvokeError::TimedOut) => "Endpoint request timed out",
        Err(_) => "Internal server error",
    };
    send(&live, error_body(failure, session, &event.request_id).to_string());
}

/// Sends a frame; a connection that is gone gets none.
fn send(live: &Live, text: String) {
    drop(live.post(text));
}

/// Tells the `$disconnect` route, if there is one, how a connection ended.
pub(crate) async fn disconnected(gate: &Gate, session: &Session, end: &End) {
    let Some(route) = gate.plan.routes.get("$disconnect") else { return };
    let (code, reason) = end.told();
    let event = gate.api.disconnect_event(session, code, reason);
    // Best effort, as on AWS: the invoker tells of a failure, and there is nobody else to tell.
    drop(gate.invoker.invoke(&route.function, &event.body, route.timeout).await);
}

/// A proxy integration's result.
#[derive(Debug)]
pub(crate) struct Proxied {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    headers: Map<String, Json>,
}

impl Proxied {
    /// Reads a result; `None` where it is not of the shape that API Gateway wants.
    pub(crate) fn read(result: &Bytes) -> Option<Self> {
        let Ok(Json::Object(mut result)) = serde_json::from_slice(result) else { return None };
        let status = match result.get("statusCode") {
            None | Some(Json::Null) => StatusCode::OK,
            Some(code) => {
                let number = code.as_u64().or_else(|| code.as_str()?.parse().ok())?;
                StatusCode::from_u16(u16::try_from(number).ok()?).ok()?
            }
        };
        let body = match result.remove("body") {
            None | Some(Json::Null) => String::new(),
            Some(Json::String(text)) => text,
            Some(_) => return None,
        };
        let headers = match result.remove("headers") {
            Some(Json::Object(headers)) => headers,
            _ => Map::new(),
        };
        Some(Self { status, body, headers })
    }

    /// A header by its lower-case name.
    pub(crate) fn header(&self, lower: &str) -> Option<HeaderValue> {
        let (_, value) = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(lower))?;
        HeaderValue::from_str(value.as_str()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(result: &'static str) -> Option<(u16, String)> {
        let proxied = Proxied::read(&Bytes::from_static(result.as_bytes()))?;
        Some((proxied.status.as_u16(), proxied.body))
    }

    #[test]
    fn results_are_objects_with_a_text_body() {
        assert_eq!(read(r#"{"statusCode":200,"body":"hi"}"#), Some((200, "hi".into())));
        assert_eq!(read(r#"{"statusCode":"403"}"#), Some((403, String::new())));
        assert_eq!(read(r#"{"statusCode":200,"body":null}"#), Some((200, String::new())));
        assert_eq!(read("{}"), Some((200, String::new())));
        for malformed in ["null", "\"text\"", "[]", "no json", r#"{"statusCode":0}"#, r#"{"body":{}}"#] {
            assert_eq!(read(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn headers_are_found_in_any_case() {
        let result = r#"{"headers":{"sec-WebSocket-Protocol":"nsl.v1"}}"#;
        let proxied = Proxied::read(&Bytes::from_static(result.as_bytes())).unwrap();
        assert_eq!(proxied.header("sec-websocket-protocol").unwrap(), "nsl.v1");
    }
}
