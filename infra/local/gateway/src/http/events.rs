//! Events of payload format 2.0, for functions and for authorizers, with the fields that HTTP APIs send.

use std::collections::BTreeMap;

use axum::http::header;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::json::extended;
use crate::template::ACCOUNT_ID;
use crate::{clock, ids};

/// A request, as far as events describe it.
#[derive(Debug, Default)]
pub(crate) struct ApiRequest {
    pub(crate) route_key: String,
    pub(crate) path_parameters: BTreeMap<String, String>,
    /// Percent-encoded, without the base path.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Lower-case names, several values joined by commas.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) cookies: Vec<String>,
    pub(crate) method: String,
    pub(crate) protocol: String,
    pub(crate) source_ip: String,
    pub(crate) api_id: String,
    pub(crate) region: String,
}

impl ApiRequest {
    /// The request's own fields; the route's are still empty.
    pub(crate) fn new(parts: &Parts, path: &str, source_ip: String) -> Self {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        let mut cookies = Vec::new();
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            if *name == header::COOKIE {
                cookies.extend(value.split(';').map(|cookie| cookie.trim().to_owned()));
            } else if *name != header::CONNECTION && *name != header::TRANSFER_ENCODING {
                let joined = headers.entry(name.as_str().to_owned()).or_default();
                if !joined.is_empty() {
                    joined.push(',');
                }
                joined.push_str(&value);
            }
        }
        headers.insert("x-forwarded-for".into(), source_ip.clone());
        headers.insert("x-forwarded-proto".into(), "http".into());
        let trace = ids::trace_id().split(';').next().unwrap_or_default().to_owned();
        headers.insert("x-amzn-trace-id".into(), trace);
        Self {
            path: path.to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers,
            cookies,
            method: parts.method.to_string(),
            protocol: format!("{:?}", parts.version),
            source_ip,
            ..Self::default()
        }
    }

    fn query_values(&self) -> BTreeMap<String, String> {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            values
                .entry(name.into_owned())
                .and_modify(|joined| *joined = format!("{joined},{value}"))
                .or_insert_with(|| value.into_owned());
        }
        values
    }

    /// The ARN of the call, for authorizers.
    fn route_arn(&self) -> String {
        let Self { region, api_id, method, path, .. } = self;
        format!("arn:aws:execute-api:{region}:{ACCOUNT_ID}:{api_id}/$default/{method}{path}")
    }

    /// The event for the route's function; `authorizer` is the authorizer's context.
    pub(crate) fn event(&self, body: &[u8], authorizer: Option<Json>) -> Json {
        let context = authorizer.map_or(json!({}), |context| json!({ "authorizer": { "lambda": context } }));
        let event = self.event_with(context);
        if body.is_empty() {
            return extended(event, json!({ "isBase64Encoded": false }));
        }
        match std::str::from_utf8(body).ok().filter(|_| is_text(self.headers.get("content-type"))) {
            Some(text) => extended(event, json!({ "body": text, "isBase64Encoded": false })),
            None => extended(event, json!({ "body": STANDARD.encode(body), "isBase64Encoded": true })),
        }
    }

    /// The event for an authorizer with these identity sources.
    pub(crate) fn authorizer_event(&self, identity: &[String]) -> Json {
        let call = json!({ "type": "REQUEST", "routeArn": self.route_arn(), "identitySource": identity });
        extended(self.event_with(json!({})), call)
    }

    /// The fields of all events; `context` has further fields of the request context.
    fn event_with(&self, context: Json) -> Json {
        let now_ms = clock::now_ms();
        let domain = self.headers.get(header::HOST.as_str()).cloned().unwrap_or_default();
        let request_context = json!({
            "accountId": ACCOUNT_ID,
            "apiId": self.api_id,
            "domainName": domain,
            "domainPrefix": domain.split(['.', ':']).next().unwrap_or_default(),
            "http": {
                "method": self.method,
                "path": self.path,
                "protocol": self.protocol,
                "sourceIp": self.source_ip,
                "userAgent": self.headers.get(header::USER_AGENT.as_str()).cloned().unwrap_or_default(),
            },
            "requestId": ids::gateway_id(),
            "routeKey": self.route_key,
            "stage": "$default",
            "time": clock::log_time(now_ms),
            "timeEpoch": now_ms,
        });
        let mut event = json!({
            "version": "2.0",
            "routeKey": self.route_key,
            "rawPath": self.path,
            "rawQueryString": self.query,
            "headers": self.headers,
            "cookies": self.cookies,
            "queryStringParameters": self.query_values(),
            "pathParameters": self.path_parameters,
            "requestContext": extended(request_context, context),
        });
        // API Gateway leaves out what is empty.
        if let Some(fields) = event.as_object_mut() {
            fields.retain(|_, value| *value != json!([]) && *value != json!({}));
        }
        event
    }
}

/// Whether a body of this content type is passed on as text, not as base64.
fn is_text(content_type: Option<&String>) -> bool {
    let Some(kind) = content_type else { return true };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || matches!(
            kind.as_str(),
            "application/json"
                | "application/javascript"
                | "application/xml"
                | "application/x-www-form-urlencoded"
        )
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn request() -> ApiRequest {
        let built = Request::builder()
            .method("POST")
            .uri("/apps/x%20y?a=1&a=2&b=%20")
            .header("Host", "localhost:2798")
            .header("Cookie", "one=1; two=2")
            .header("Accept", "a")
            .header("Accept", "b")
            .header("User-Agent", "agent/1")
            .body(())
            .unwrap();
        let (parts, ()) = built.into_parts();
        let mut request = ApiRequest::new(&parts, "/apps/x%20y", "127.0.0.1".into());
        request.route_key = "POST /apps/{id}".into();
        request.path_parameters = BTreeMap::from([("id".into(), "x y".into())]);
        request.api_id = "Http".into();
        request.region = "us-east-1".into();
        request
    }

    fn without_volatile_fields(mut event: Json) -> Json {
        let context = event["requestContext"].as_object_mut().unwrap();
        assert!(context["timeEpoch"].is_i64() && context["time"].is_string());
        for volatile in ["requestId", "time", "timeEpoch"] {
            assert!(context.remove(volatile).is_some());
        }
        assert!(event["headers"].as_object_mut().unwrap().remove("x-amzn-trace-id").is_some());
        event
    }

    #[test]
    fn functions_get_payload_format_2() {
        let event = without_volatile_fields(request().event(b"{}", Some(json!({ "who": "me" }))));
        let expected = json!({
            "version": "2.0",
            "routeKey": "POST /apps/{id}",
            "rawPath": "/apps/x%20y",
            "rawQueryString": "a=1&a=2&b=%20",
            "cookies": ["one=1", "two=2"],
            "headers": {
                "host": "localhost:2798", "accept": "a,b", "user-agent": "agent/1",
                "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http",
            },
            "queryStringParameters": { "a": "1,2", "b": " " },
            "pathParameters": { "id": "x y" },
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "Http",
                "authorizer": { "lambda": { "who": "me" } },
                "domainName": "localhost:2798",
                "domainPrefix": "localhost",
                "http": {
                    "method": "POST", "path": "/apps/x%20y", "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1", "userAgent": "agent/1",
                },
                "routeKey": "POST /apps/{id}",
                "stage": "$default",
            },
            "body": "{}",
            "isBase64Encoded": false,
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn bodies_are_text_base64_or_absent() {
        let mut binary = request();
        binary.headers.insert("content-type".into(), "application/octet-stream".into());
        assert_eq!(binary.event(b"hi", None)["body"], "aGk=");
        assert_eq!(binary.event(b"hi", None)["isBase64Encoded"], true);
        assert!(binary.event(b"", None).get("body").is_none());
        assert_eq!(request().event(&[0xff], None)["isBase64Encoded"], true);
        assert!(request().event(b"", None)["requestContext"].get("authorizer").is_none());
    }

    #[test]
    fn authorizers_get_the_identity_and_the_route() {
        let event = without_volatile_fields(request().authorizer_event(&["secret".into()]));
        assert_eq!(event["type"], "REQUEST");
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["identitySource"], json!(["secret"]));
        assert_eq!(
            event["routeArn"],
            "arn:aws:execute-api:us-east-1:000000000000:Http/$default/POST/apps/x%20y"
        );
        assert!(event.get("body").is_none() && event.get("isBase64Encoded").is_none());
    }
}
