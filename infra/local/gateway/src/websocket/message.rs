//! Frames to functions: the invocation for one frame, and what of its result is sent to the client.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use bytes::Bytes;
use serde_json::{Map, Value as Json};

use super::api::WebSocketApi;
use super::close::Disconnect;
use super::connection::Connection;
use super::events::{ConnectionContext, error_body};
use super::select::select_route_key;
use crate::json::status_code;
use crate::lambda::InvokeError;

/// API Gateway's greatest integration timeout, which also limits authorizers.
pub(crate) const MAX_TIMEOUT: Duration = Duration::from_secs(29);
const DEFAULT_ROUTE: &str = "$default";

/// Invokes the route of a frame and sends its response.
pub(crate) async fn handle(api: Arc<WebSocketApi>, connection: Arc<Connection>, text: String) {
    let context = &connection.context;
    let key = select_route_key(&text, &api.plan.selection).filter(|key| !key.starts_with('$'));
    let found = key.as_deref().and_then(|key| api.plan.routes.get_key_value(key));
    let Some((key, route)) = found.or_else(|| api.plan.routes.get_key_value(DEFAULT_ROUTE)) else {
        return send(&connection, error_body("Forbidden", context, None));
    };
    let event = api.events.message_event(context, key, &text);
    let error = match api.invoker.invoke(&route.function, &event, route.timeout).await {
        Ok(result) => match ProxyResult::read(&result) {
            // API Gateway sends an empty message for a result without a body, too.
            Some(result) if route.two_way => return send(&connection, result.body),
            Some(_) => return,
            None => "Internal server error",
        },
        Err(InvokeError::TimedOut) => "Endpoint request timed out",
        Err(InvokeError::Function { .. } | InvokeError::Unavailable(_)) => "Internal server error",
    };
    send(&connection, error_body(error, context, Some(&event)));
}

/// Sends a frame unless the connection is gone.
fn send(connection: &Connection, text: String) {
    drop(connection.post(text));
}

/// Invokes the `$disconnect` route, if there is one.
pub(crate) async fn disconnected(api: &WebSocketApi, context: &ConnectionContext, disconnect: &Disconnect) {
    let Some(route) = api.plan.routes.get("$disconnect") else { return };
    let (code, reason) = disconnect.code_and_reason();
    let event = api.events.disconnect_event(context, code, reason);
    // Best effort, as on AWS; the invoker prints a failure.
    drop(api.invoker.invoke(&route.function, &event, route.timeout).await);
}

/// A proxy integration's result.
#[derive(Debug)]
pub(crate) struct ProxyResult {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    headers: Map<String, Json>,
}

impl ProxyResult {
    /// Reads a result; `None` if API Gateway would reject its shape.
    pub(crate) fn read(result: &Bytes) -> Option<Self> {
        let Ok(Json::Object(mut result)) = serde_json::from_slice(result) else { return None };
        let status = match result.get("statusCode") {
            None | Some(Json::Null) => StatusCode::OK,
            Some(code) => status_code(code)?,
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
        let result = ProxyResult::read(&Bytes::from_static(result.as_bytes()))?;
        Some((result.status.as_u16(), result.body))
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
        let result = ProxyResult::read(&Bytes::from_static(result.as_bytes())).unwrap();
        assert_eq!(result.header("sec-websocket-protocol").unwrap(), "nsl.v1");
    }
}
