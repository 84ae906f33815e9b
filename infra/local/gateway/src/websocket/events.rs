//! The events that a WebSocket API hands to functions, field for field as API Gateway sends them.

use serde_json::{Map, Value as Json, json};

use crate::{clock, ids};

/// What an API is called; the same for all of its events.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) api_id: String,
    pub(crate) stage: String,
}

/// What a client said in its handshake.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshake {
    /// In the order and number in which they came.
    pub(crate) headers: Vec<(String, String)>,
    /// The raw query, if there is one.
    pub(crate) query: Option<String>,
    pub(crate) host: String,
    pub(crate) source_ip: String,
    pub(crate) user_agent: Option<String>,
}

/// A connection, as far as events tell of it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) connection_id: String,
    pub(crate) connected_at_ms: i64,
    pub(crate) host: String,
    pub(crate) source_ip: String,
    pub(crate) user_agent: Option<String>,
    /// What the authorizer answered, with `principalId`; carried by every later event.
    pub(crate) authorizer: Option<Map<String, Json>>,
}

/// An event together with the id that error frames and logs name.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) request_id: String,
    pub(crate) body: Json,
}

impl Api {
    /// The ARN that an authorizer judges.
    pub(crate) fn connect_arn(&self) -> String {
        let Self { region, account_id, api_id, stage } = self;
        format!("arn:aws:execute-api:{region}:{account_id}:{api_id}/{stage}/$connect")
    }

    pub(crate) fn authorizer_event(&self, session: &Session, handshake: &Handshake) -> Event {
        let mut event = self.connect_event(session, handshake);
        if let Some(fields) = event.body.as_object_mut() {
            fields.remove("isBase64Encoded");
            fields.insert("type".into(), json!("REQUEST"));
            fields.insert("methodArn".into(), json!(self.connect_arn()));
            fields.insert("stageVariables".into(), json!({}));
            fields.entry("queryStringParameters").or_insert_with(|| json!({}));
            fields.entry("multiValueQueryStringParameters").or_insert_with(|| json!({}));
        }
        event
    }

    pub(crate) fn connect_event(&self, session: &Session, handshake: &Handshake) -> Event {
        let context = self.context(session, "$connect", "CONNECT");
        let (headers, multi) = last_and_all(handshake.headers.iter().cloned());
        let mut event = event(context, json!({ "headers": headers, "multiValueHeaders": multi }));
        if let (Some(query), Some(fields)) = (&handshake.query, event.body.as_object_mut()) {
            let pairs = form_urlencoded::parse(query.as_bytes());
            let (last, all) =
                last_and_all(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())));
            if !last.is_empty() {
                fields.insert("queryStringParameters".into(), Json::Object(last));
                fields.insert("multiValueQueryStringParameters".into(), Json::Object(all));
            }
        }
        event
    }

    pub(crate) fn message_event(&self, session: &Session, route: &str, text: &str) -> Event {
        let mut context = self.context(session, route, "MESSAGE");
        context.insert("messageId".into(), json!(ids::gateway_id()));
        event(context, json!({ "body": text }))
    }

    pub(crate) fn disconnect_event(&self, session: &Session, code: u16, reason: &str) -> Event {
        let mut context = self.context(session, "$disconnect", "DISCONNECT");
        context.insert("disconnectStatusCode".into(), json!(code));
        context.insert("disconnectReason".into(), json!(reason));
        let host = &session.host;
        let headers = json!({ "Host": host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": "" });
        let multi = json!({ "Host": [host], "x-api-key": [""], "X-Forwarded-For": [""], "x-restapi": [""] });
        event(context, json!({ "headers": headers, "multiValueHeaders": multi }))
    }

    fn context(&self, session: &Session, route: &str, kind: &str) -> Map<String, Json> {
        let now_ms = clock::now_ms();
        let request_id = ids::gateway_id();
        let mut identity = json!({ "sourceIp": session.source_ip });
        if let (Some(agent), Some(identity)) = (&session.user_agent, identity.as_object_mut()) {
            identity.insert("userAgent".into(), json!(agent));
        }
        let context = json!({
            "routeKey": route,
            "eventType": kind,
            "extendedRequestId": request_id,
            "requestId": request_id,
            "requestTime": clock::log_time(now_ms),
            "requestTimeEpoch": now_ms,
            "messageDirection": "IN",
            "stage": self.stage,
            "connectedAt": session.connected_at_ms,
            "identity": identity,
            "domainName": session.host,
            "connectionId": session.connection_id,
            "apiId": self.api_id,
        });
        let mut context = match context {
            Json::Object(context) => context,
            _ => Map::new(),
        };
        if let Some(authorizer) = &session.authorizer {
            context.insert("authorizer".into(), Json::Object(authorizer.clone()));
        }
        context
    }
}

fn event(context: Map<String, Json>, mut body: Json) -> Event {
    let request_id = context.get("requestId").and_then(Json::as_str).unwrap_or_default().to_owned();
    if let Some(fields) = body.as_object_mut() {
        fields.insert("requestContext".into(), Json::Object(context));
        fields.insert("isBase64Encoded".into(), json!(false));
    }
    Event { request_id, body }
}

/// For each name its last value, and all of them.
fn last_and_all(pairs: impl Iterator<Item = (String, String)>) -> (Map<String, Json>, Map<String, Json>) {
    let (mut last, mut all) = (Map::new(), Map::<String, Json>::new());
    for (name, value) in pairs {
        last.insert(name.clone(), json!(value));
        if let Json::Array(values) = all.entry(name).or_insert_with(|| json!([])) {
            values.push(json!(value));
        }
    }
    (last, all)
}

/// A header's name as clients write it: hyper knows only lower case. Names that begin with `x-` are the client's
/// own and mostly lower case on the wire too.
pub(crate) fn header_name(lower: &str) -> String {
    if lower.starts_with("x-") {
        return lower.to_owned();
    }
    let words = lower.split('-').map(|word| match word {
        "websocket" => "WebSocket".to_owned(),
        word => {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> Api {
        Api {
            region: "us-east-1".into(),
            account_id: "000000000000".into(),
            api_id: "Ws".into(),
            stage: "live".into(),
        }
    }

    fn session() -> Session {
        Session {
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
            ..Handshake::default()
        }
    }

    /// Takes out what differs from call to call, after checking its type.
    fn settled(mut event: Json) -> Json {
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
    fn connect_has_headers_and_a_query_only_where_there_is_one() {
        let plain = settled(api().connect_event(&session(), &handshake(None)).body);
        let expected = json!({
            "headers": { "Host": "h", "Cookie": "b" },
            "multiValueHeaders": { "Host": ["h"], "Cookie": ["a", "b"] },
            "requestContext": context("$connect", "CONNECT"),
            "isBase64Encoded": false,
        });
        assert_eq!(plain, expected);
        let asked = api().connect_event(&session(), &handshake(Some("a=1&a=2&b=%20"))).body;
        assert_eq!(asked["queryStringParameters"], json!({ "a": "2", "b": " " }));
        assert_eq!(asked["multiValueQueryStringParameters"], json!({ "a": ["1", "2"], "b": [" "] }));
    }

    #[test]
    fn message_has_body_and_id_but_no_headers() {
        let mut authorized = session();
        authorized.authorizer = json!({ "principalId": "p", "role": "view" }).as_object().cloned();
        let mut event = settled(api().message_event(&authorized, "ping", "{}").body);
        let id = event["requestContext"].as_object_mut().unwrap().remove("messageId").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 16);
        let mut expected = context("ping", "MESSAGE");
        expected["authorizer"] = json!({ "principalId": "p", "role": "view" });
        assert_eq!(event, json!({ "body": "{}", "requestContext": expected, "isBase64Encoded": false }));
    }

    #[test]
    fn disconnect_tells_code_and_reason() {
        let event = settled(api().disconnect_event(&session(), 1005, "none").body);
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
    fn the_authorizer_sees_the_handshake_and_the_method() {
        let event = settled(api().authorizer_event(&session(), &handshake(None)).body);
        assert_eq!(event["type"], "REQUEST");
        assert_eq!(event["methodArn"], "arn:aws:execute-api:us-east-1:000000000000:Ws/live/$connect");
        assert_eq!(event["queryStringParameters"], json!({}));
        assert_eq!(event["headers"]["Host"], "h");
        assert_eq!(event["requestContext"], context("$connect", "CONNECT"));
        assert!(event.get("isBase64Encoded").is_none());
    }

    #[test]
    fn header_names_are_written_as_clients_do() {
        assert_eq!(header_name("sec-websocket-protocol"), "Sec-WebSocket-Protocol");
        assert_eq!(header_name("user-agent"), "User-Agent");
        assert_eq!(header_name("x-api-key"), "x-api-key");
    }
}
