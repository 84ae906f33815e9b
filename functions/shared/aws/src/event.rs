//! WebSocket events of API Gateway, with the grant and the role that the authorizer attached.

use std::collections::HashMap;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use nsl_domain::grant::{Grant, Role};
use nsl_domain::ids::ConnectionId;
use nsl_domain::time::TimestampMs;
use serde_json::Value;

/// The field of the authorizer's context that holds the grant.
pub const GRANT: &str = "grant";
/// The field of the authorizer's context that holds the role.
pub const ROLE: &str = "role";

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketEventKind {
    /// The handshake.
    Connect,
    /// A frame.
    Message,
    /// The end of a connection; delivery is best effort.
    Disconnect,
}

/// One WebSocket event.
#[derive(Debug, Clone)]
pub struct SocketEvent {
    /// Its kind.
    pub kind: SocketEventKind,
    /// Its connection.
    pub connection: ConnectionId,
    /// The route that API Gateway chose.
    pub route: String,
    /// When API Gateway received it.
    pub arrival: TimestampMs,
    /// When the connection was opened.
    pub opened: TimestampMs,
    /// What the authorizer granted at the handshake, if anything.
    pub grant: Option<Grant>,
    /// The side that the handshake showed.
    pub role: Role,
    /// The frame's text; empty for other kinds.
    pub body: String,
    /// API Gateway's id of the request, for logs.
    pub request_id: String,
    /// API Gateway's id of a frame, the same in every invocation with it; that of the request where there is none.
    pub message_id: String,
    /// The subprotocols that the handshake offers, in order.
    pub subprotocols: Vec<String>,
    /// The address of the client, for logs; empty where API Gateway has none.
    pub address: String,
}

impl SocketEvent {
    /// Reads API Gateway's event; `None` where it has no connection id.
    pub fn read(event: ApiGatewayWebsocketProxyRequest) -> Option<Self> {
        let context = event.request_context;
        let kind = match context.event_type.as_deref() {
            Some("CONNECT") => SocketEventKind::Connect,
            Some("DISCONNECT") => SocketEventKind::Disconnect,
            _ => SocketEventKind::Message,
        };
        let attached = &context.authorizer.fields;
        let subprotocols = event
            .headers
            .get_all("sec-websocket-protocol")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|offered| offered.trim().to_owned())
            .collect();
        let request_id = context.request_id.unwrap_or_default();
        Some(Self {
            kind,
            connection: ConnectionId::new(context.connection_id?),
            route: context.route_key.unwrap_or_default(),
            arrival: TimestampMs::clamped(context.request_time_epoch),
            opened: TimestampMs::clamped(context.connected_at),
            grant: attached_text(attached, GRANT).and_then(Grant::from_text),
            role: Role::from_text(attached_text(attached, ROLE)),
            body: event.body.unwrap_or_default(),
            message_id: context.message_id.unwrap_or_else(|| request_id.clone()),
            request_id,
            subprotocols,
            address: context.identity.source_ip.unwrap_or_default(),
        })
    }
}

fn attached_text<'a>(attached: &'a HashMap<String, Value>, name: &str) -> Option<&'a str> {
    attached.get(name).and_then(Value::as_str)
}

/// The result of an invocation. On a two-way route the body is sent to the connection.
pub fn answer(status: i64, body: Option<String>) -> ApiGatewayProxyResponse {
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = status;
    response.body = body.map(Into::into);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_carries_what_the_authorizer_attached() {
        let event: ApiGatewayWebsocketProxyRequest = serde_json::from_value(serde_json::json!({
            "requestContext": {
                "routeKey": "metrics", "eventType": "MESSAGE", "connectionId": "L0SM9cOFvHcCIhw=",
                "connectedAt": 1, "requestTimeEpoch": 1_795_352_461_387_i64, "requestId": "r",
                "identity": {"sourceIp": "203.0.113.7"},
                "authorizer": {"principalId": "p", "role": "program", "grant": "not a grant"},
            },
            "body": "{}", "isBase64Encoded": false,
        }))
        .unwrap();
        let event = SocketEvent::read(event).unwrap();
        assert_eq!(event.kind, SocketEventKind::Message);
        assert_eq!(event.role, Role::Program);
        assert_eq!(event.grant, None);
        assert_eq!(event.arrival.ms(), 1_795_352_461_387);
        assert_eq!(event.body, "{}");
        assert_eq!(event.address, "203.0.113.7");
    }
}
