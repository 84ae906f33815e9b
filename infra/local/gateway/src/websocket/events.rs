//! The events of a WebSocket API, with the fields that API Gateway sends.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::json::extended;
use crate::template::ACCOUNT_ID;
use crate::{clock, ids};

/// The API that events come from.
#[derive(Clone, Debug)]
pub(crate) struct EventBuilder {
    pub(crate) region: String,
    pub(crate) api_id: String,
    pub(crate) stage: String,
}

/// The client's handshake.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshake {
    /// In the order in which they were sent, duplicates included.
    pub(crate) headers: Vec<(String, String)>,
    /// The raw query, if there is one.
    pub(crate) query: Option<String>,
}

/// A connection, as far as events describe it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionContext {
    pub(crate) connection_id: String,
    pub(crate) connected_at_ms: i64,
    pub(crate) host: String,
    pub(crate) source_ip: String,
    pub(crate) user_agent: Option<String>,
    /// The authorizer's context with `principalId`, which every later event carries.
    pub(crate) authorizer: Option<Map<String, Json>>,
}

impl ConnectionContext {
    pub(crate) fn identity(&self) -> Json {
        match &self.user_agent {
            Some(agent) => json!({ "sourceIp": self.source_ip, "userAgent": agent }),
            None => json!({ "sourceIp": self.source_ip }),
        }
    }
}

impl EventBuilder {
    /// The ARN of the `$connect` call, for authorizers.
    pub(crate) fn connect_arn(&self) -> String {
        let Self { region, api_id, stage } = self;
        format!("arn:aws:execute-api:{region}:{ACCOUNT_ID}:{api_id}/{stage}/$connect")
    }

    pub(crate) fn authorizer_event(&self, connection: &ConnectionContext, handshake: &Handshake) -> Json {
        let event = json!({
            "type": "REQUEST",
            "methodArn": self.connect_arn(),
            "stageVariables": {},
            "queryStringParameters": {},
            "multiValueQueryStringParameters": {},
            "requestContext": self.context(connection, "$connect", "CONNECT", json!({})),
        });
        extended(event, handshake.fields())
    }

    pub(crate) fn connect_event(&self, connection: &ConnectionContext, handshake: &Handshake) -> Json {
        let context = self.context(connection, "$connect", "CONNECT", json!({}));
        extended(json!({ "requestContext": context, "isBase64Encoded": false }), handshake.fields())
    }

    pub(crate) fn message_event(&self, connection: &ConnectionContext, route: &str, text: &str) -> Json {
        let context = self.context(connection, route, "MESSAGE", json!({ "messageId": ids::gateway_id() }));
        json!({ "body": text, "requestContext": context, "isBase64Encoded": false })
    }

    pub(crate) fn disconnect_event(&self, connection: &ConnectionContext, code: u16, reason: &str) -> Json {
        let end = json!({ "disconnectStatusCode": code, "disconnectReason": reason });
        let host = &connection.host;
        json!({
            "headers": { "Host": host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": "" },
            "multiValueHeaders":
                { "Host": [host], "x-api-key": [""], "X-Forwarded-For": [""], "x-restapi": [""] },
            "requestContext": self.context(connection, "$disconnect", "DISCONNECT", end),
            "isBase64Encoded": false,
        })
    }

    fn context(&self, connection: &ConnectionContext, route: &str, kind: &str, more: Json) -> Json {
        let now_ms = clock::now_ms();
        let request_id = ids::gateway_id();
        let context = json!({
            "routeKey": route,
            "eventType": kind,
            "extendedRequestId": request_id,
            "requestId": request_id,
            "requestTime": clock::log_time(now_ms),
            "requestTimeEpoch": now_ms,
            "messageDirection": "IN",
            "stage": self.stage,
            "connectedAt": connection.connected_at_ms,
            "identity": connection.identity(),
            "domainName": connection.host,
            "connectionId": connection.connection_id,
            "apiId": self.api_id,
        });
        let context = extended(context, more);
        match &connection.authorizer {
            Some(authorizer) => extended(context, json!({ "authorizer": authorizer })),
            None => context,
        }
    }
}

impl Handshake {
    /// The headers and the query of an event.
    fn fields(&self) -> Json {
        let headers = by_name(self.headers.iter().cloned());
        let fields = json!({ "headers": last_values(&headers), "multiValueHeaders": headers });
        let query = form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes());
        let query = by_name(query.into_owned());
        if query.is_empty() {
            return fields;
        }
        let last = last_values(&query);
        extended(fields, json!({ "queryStringParameters": last, "multiValueQueryStringParameters": query }))
    }
}

/// The document of API Gateway's own errors, in a frame or in a rejected handshake: for an event, or for a frame
/// without a route.
pub(crate) fn error_body(message: &str, connection: &ConnectionContext, event: Option<&Json>) -> String {
    let request_id = event.and_then(|event| event.pointer("/requestContext/requestId")).cloned();
    let request_id = request_id.unwrap_or_else(|| json!(ids::gateway_id()));
    json!({ "message": message, "connectionId": connection.connection_id, "requestId": request_id })
        .to_string()
}

/// All values of each name.
fn by_name(pairs: impl Iterator<Item = (String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in pairs {
        values.entry(name).or_default().push(value);
    }
    values
}

fn last_values(values: &BTreeMap<String, Vec<String>>) -> BTreeMap<&String, Option<&String>> {
    values.iter().map(|(name, values)| (name, values.last())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> EventBuilder {
        EventBuilder { region: "us-east-1".into(), api_id: "Ws".into(), stage: "live".into() }
    }

    fn connection() -> ConnectionContext {
        ConnectionContext {
            connection_id: "c=".into(),
            connected_at_ms: 5,
            host: "localhost:8087".into(),
            source_ip: "127.0.0.1".into(),
            user_agent: Some("agent/1".into()),
            authorizer: None,
        }
    }

    fn handshake(query: Option<&str>) -> Handshake {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Handshake {
            headers: vec![header("Host", "h"), header("Cookie", "a"), header("Cookie", "b")],
            query: query.map(str::to_owned),
        }
    }

    /// Removes what differs from call to call, after checking its type.
    fn without_volatile_fields(mut event: Json) -> Json {
        let context = event["requestContext"].as_object_mut().unwrap();
        assert_eq!(context["requestId"], context["extendedRequestId"]);
        assert!(context["requestTimeEpoch"].is_i64());
        assert!(context["requestTime"].as_str().unwrap().ends_with(" +0000"));
        for volatile in ["requestId", "extendedRequestId", "requestTime", "requestTimeEpoch"] {
            context.remove(volatile);
        }
        event
    }

    fn context(route: &str, kind: &str) -> Json {
        json!({
            "routeKey": route, "eventType": kind, "messageDirection": "IN", "stage": "live",
            "connectedAt": 5, "identity": { "sourceIp": "127.0.0.1", "userAgent": "agent/1" },
            "domainName": "localhost:8087", "connectionId": "c=", "apiId": "Ws",
        })
    }

    #[test]
    fn connect_event_has_headers_and_optional_query() {
        let plain = without_volatile_fields(api().connect_event(&connection(), &handshake(None)));
        let expected = json!({
            "headers": { "Host": "h", "Cookie": "b" },
            "multiValueHeaders": { "Host": ["h"], "Cookie": ["a", "b"] },
            "requestContext": context("$connect", "CONNECT"),
            "isBase64Encoded": false,
        });
        assert_eq!(plain, expected);
        let event = api().connect_event(&connection(), &handshake(Some("a=1&a=2&b=%20")));
        assert_eq!(event["queryStringParameters"], json!({ "a": "2", "b": " " }));
        assert_eq!(event["multiValueQueryStringParameters"], json!({ "a": ["1", "2"], "b": [" "] }));
    }

    #[test]
    fn message_event_has_body_and_id_but_no_headers() {
        let mut authorized = connection();
        authorized.authorizer = json!({ "principalId": "p", "role": "view" }).as_object().cloned();
        let mut event = without_volatile_fields(api().message_event(&authorized, "ping", "{}"));
        let id = event["requestContext"].as_object_mut().unwrap().remove("messageId").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 16);
        let mut expected = context("ping", "MESSAGE");
        expected["authorizer"] = json!({ "principalId": "p", "role": "view" });
        assert_eq!(event, json!({ "body": "{}", "requestContext": expected, "isBase64Encoded": false }));
    }

    #[test]
    fn disconnect_event_has_code_and_reason() {
        let event = without_volatile_fields(api().disconnect_event(&connection(), 1005, "none"));
        let mut expected = context("$disconnect", "DISCONNECT");
        expected["disconnectStatusCode"] = json!(1005);
        expected["disconnectReason"] = json!("none");
        assert_eq!(event["requestContext"], expected);
        assert_eq!(
            event["headers"],
            json!({ "Host": "localhost:8087", "x-api-key": "", "X-Forwarded-For": "", "x-restapi": "" })
        );
    }

    #[test]
    fn authorizer_event_has_handshake_and_method() {
        let event = without_volatile_fields(api().authorizer_event(&connection(), &handshake(None)));
        assert_eq!(event["type"], "REQUEST");
        assert_eq!(event["methodArn"], "arn:aws:execute-api:us-east-1:000000000000:Ws/live/$connect");
        assert_eq!(event["queryStringParameters"], json!({}));
        assert_eq!(event["headers"]["Host"], "h");
        assert_eq!(event["requestContext"], context("$connect", "CONNECT"));
        assert!(event.get("isBase64Encoded").is_none());
    }
}
