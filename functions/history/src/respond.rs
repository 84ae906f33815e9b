//! HTTP answers: JSON, CSV and errors, with the headers that all of them carry.
//!
//! CORS is API Gateway's matter, as the template configures it.

use lambda_http::http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Response};
use nsl_domain::rejection::{Code, Rejection};
use serde::Serialize;

/// The media type of a CSV answer: RFC 7111.
const CSV: &str = "text/csv; charset=utf-8";

/// `value` as JSON with status 200.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_string(value) {
        Ok(text) => with(StatusCode::OK, "application/json", text),
        Err(error) => {
            tracing::error!(reason = %error, "an answer cannot be written");
            rejected(&Rejection::unavailable())
        }
    }
}

/// CSV text with status 200.
pub(crate) fn csv(text: String) -> Response<Body> {
    with(StatusCode::OK, CSV, text)
}

/// `{message, code, field?}` with the status that the code stands for.
pub(crate) fn rejected(rejection: &Rejection) -> Response<Body> {
    let text = serde_json::to_string(rejection).unwrap_or_default();
    with(status_of(rejection.code), "application/json", text)
}

/// The answer to a path that is none.
pub(crate) fn not_found() -> Response<Body> {
    let text = r#"{"message":"there is no such path","code":"not_found"}"#;
    with(StatusCode::NOT_FOUND, "application/json", text.to_owned())
}

fn status_of(code: Code) -> StatusCode {
    match code {
        Code::Unauthorized => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::AppInactive => StatusCode::FORBIDDEN,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn with(status: StatusCode, media_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::Text(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // Answers are for this caller alone, and the running point changes with every report.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization, Origin"));
    response
}
