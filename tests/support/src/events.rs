//! The events that API Gateway invokes functions with.
//! The fixtures have every field of the real events; the functions here set the fields that a test is about.

use serde_json::{Map, Value, json};

const CONNECT: &str = include_str!("../fixtures/connect.json");
const MESSAGE: &str = include_str!("../fixtures/message.json");
const DISCONNECT: &str = include_str!("../fixtures/disconnect.json");
const HANDSHAKE_AUTHORIZER: &str = include_str!("../fixtures/handshake-authorizer.json");
const HTTP_AUTHORIZER: &str = include_str!("../fixtures/http-authorizer.json");
const HTTP_CALL: &str = include_str!("../fixtures/http-call.json");

/// The authorizer's context of a connection: names and texts without the principal.
pub type Attached<'a> = &'a [(&'a str, &'a str)];

/// `$connect` with additional `headers`, received at `at_ms`.
pub fn connect(connection: &str, headers: &[(&str, &str)], attached: Attached<'_>, at_ms: i64) -> Value {
    let mut event = socket(CONNECT, connection, attached, at_ms);
    put_headers(&mut event, headers);
    event
}

/// A frame whose text is `body`, on the route that API Gateway selected.
pub fn message(connection: &str, route: &str, body: &str, attached: Attached<'_>, at_ms: i64) -> Value {
    let mut event = socket(MESSAGE, connection, attached, at_ms);
    event["requestContext"]["routeKey"] = json!(route);
    event["body"] = json!(body);
    event
}

/// `$disconnect`.
pub fn disconnect(connection: &str, attached: Attached<'_>, at_ms: i64) -> Value {
    socket(DISCONNECT, connection, attached, at_ms)
}

/// The event of the WebSocket API's authorizer.
pub fn handshake(headers: &[(&str, &str)], query: &[(&str, &str)]) -> Value {
    let mut event = parsed(HANDSHAKE_AUTHORIZER);
    put_headers(&mut event, headers);
    if !query.is_empty() {
        event["queryStringParameters"] = texts(query);
        let many = query.iter().map(|(name, value)| ((*name).to_owned(), json!([value])));
        event["multiValueQueryStringParameters"] = many.collect::<Map<_, _>>().into();
    }
    event
}

/// The event of the HTTP API's authorizer, in payload format 2.0.
pub fn http_authorizer(headers: &[(&str, &str)]) -> Value {
    let mut event = parsed(HTTP_AUTHORIZER);
    put_headers(&mut event, headers);
    event
}

/// A call of the HTTP API in payload format 2.0: `route` as in the template, `path` as requested, `query` undecoded.
pub fn http_call(
    route: &str,
    (path, query): (&str, &str),
    parameters: &[(&str, &str)],
    headers: &[(&str, &str)],
    attached: Option<Attached<'_>>,
) -> Value {
    let mut event = parsed(HTTP_CALL);
    put_headers(&mut event, headers);
    event["routeKey"] = json!(route);
    event["rawPath"] = json!(path);
    event["rawQueryString"] = json!(query);
    if !parameters.is_empty() {
        event["pathParameters"] = texts(parameters);
    }
    let context = &mut event["requestContext"];
    context["routeKey"] = json!(route);
    context["http"]["path"] = json!(path);
    if let Some(attached) = attached {
        context["authorizer"] = json!({ "lambda": texts(attached) });
    }
    event
}

fn socket(fixture: &str, connection: &str, attached: Attached<'_>, at_ms: i64) -> Value {
    let mut event = parsed(fixture);
    let context = &mut event["requestContext"];
    context["connectionId"] = json!(connection);
    context["requestTimeEpoch"] = json!(at_ms);
    let mut authorizer = texts(attached);
    authorizer["principalId"] = json!("anonymous");
    context["authorizer"] = authorizer;
    event
}

fn put_headers(event: &mut Value, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        event["headers"][name] = json!(value);
        if event.get("multiValueHeaders").is_some() {
            event["multiValueHeaders"][name] = json!([value]);
        }
    }
}

fn texts(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Map<_, _>>().into()
}

fn parsed(fixture: &str) -> Value {
    serde_json::from_str(fixture).expect("the fixture is JSON")
}
