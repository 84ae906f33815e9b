//! HTTP responses from functions' results, by the rules of payload format 2.0.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::json::{scalar_text, status_code};

/// An error response of the API itself.
pub(crate) fn error(status: StatusCode, message: &str) -> Response {
    let body = json!({ "message": message }).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// The response for a function's result; `None` if API Gateway would reject the result.
pub(crate) fn from_result(result: &[u8]) -> Option<Response> {
    let result: Json = serde_json::from_slice(result).ok()?;
    let Some(code) = result.get("statusCode") else { return Some(implicit_success(result)) };
    let status = status_code(code)?;
    let body = match result.get("body") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::String(text)) if result.get("isBase64Encoded").is_some_and(|flag| flag == true) => {
            STANDARD.decode(text).ok()?
        }
        Some(Json::String(text)) => text.clone().into_bytes(),
        Some(_) => return None,
    };
    let mut headers = HeaderMap::new();
    for (name, value) in result.get("headers").and_then(Json::as_object).into_iter().flatten() {
        headers.insert(HeaderName::try_from(name).ok()?, header_value(value)?);
    }
    for cookie in result.get("cookies").and_then(Json::as_array).into_iter().flatten() {
        headers.append(SET_COOKIE, header_value(cookie)?);
    }
    if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    }
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = Response::new(if bodiless { Body::empty() } else { Body::from(body) });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Some(response)
}

/// A result without a status code is the body of a 200.
fn implicit_success(result: Json) -> Response {
    let body = match result {
        Json::String(text) => text,
        other => other.to_string(),
    };
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn header_value(value: &Json) -> Option<HeaderValue> {
    HeaderValue::try_from(scalar_text(value)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parts_of(result: Json) -> Option<(u16, Vec<String>, String)> {
        let response = from_result(result.to_string().as_bytes())?;
        let (parts, body) = response.into_parts();
        let headers =
            parts.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let headers = headers.collect();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Some((parts.status.as_u16(), headers, String::from_utf8_lossy(&body).into_owned()))
    }

    #[tokio::test]
    async fn results_become_responses() {
        let (text, json) = ("content-type: text/plain;charset=UTF-8", "content-type: application/json");
        let full = json!({
            "statusCode": 201, "headers": { "ETag": "\"e\"", "x-n": 5 }, "cookies": ["a=1", "b=2"], "body": "hi",
        });
        for (result, status, headers, body) in [
            (full, 201, vec!["etag: \"e\"", "x-n: 5", "set-cookie: a=1", "set-cookie: b=2", text], "hi"),
            (json!({ "statusCode": 200, "body": "aGk=", "isBase64Encoded": true }), 200, vec![text], "hi"),
            (json!({ "statusCode": "304", "body": "x" }), 304, vec![text], ""),
            (json!({ "a": 1 }), 200, vec![json], r#"{"a":1}"#),
            (json!("hello"), 200, vec![json], "hello"),
        ] {
            let headers = headers.into_iter().map(str::to_owned).collect();
            assert_eq!(parts_of(result.clone()).await, Some((status, headers, body.to_owned())), "{result}");
        }
    }

    #[tokio::test]
    async fn malformed_results_are_rejected() {
        for result in [
            json!({ "statusCode": "ok" }),
            json!({ "statusCode": 200, "body": {} }),
            json!({ "statusCode": 200, "body": "%", "isBase64Encoded": true }),
            json!({ "statusCode": 200, "headers": { "x": "a\nb" } }),
        ] {
            assert!(parts_of(result.clone()).await.is_none(), "{result}");
        }
        assert!(from_result(b"no json").is_none());
    }
}
