//! HTTP answers: JSON, CSV and errors, with the headers that all of them carry.
//!
//! CORS is API Gateway's matter, as the template configures it.

use std::hash::{DefaultHasher, Hash, Hasher};

use lambda_http::http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Response};
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::{SECOND_MS, TimestampMs};
use nsl_domain::window::Window;
use serde::Serialize;

/// How long an answer about a window that is over may be used without asking, in seconds.
const CLOSED_FRESH_S: i64 = 60;

/// The same for a window that still runs: a report that was acknowledged shows at the next look.
const RUNNING_FRESH_S: i64 = 1;

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

/// The entity tag of an answer that depends on nothing but `parts`. Weak: `completeTo` moves on meanwhile.
pub(crate) fn tag(parts: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("W/\"{:016x}\"", hasher.finish())
}

/// `response` with its tag, to be asked for again each time.
pub(crate) fn with_tag(mut response: Response<Body>, tag: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// `response` with its tag, and how long it may be used without asking.
pub(crate) fn tagged(
    response: Response<Body>,
    tag: &str,
    window: Window,
    now: TimestampMs,
) -> Response<Body> {
    let mut response = with_tag(response, tag);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&cache_control(window, now)) {
        headers.insert(header::CACHE_CONTROL, value);
    }
    response
}

/// Nothing but that the caller's answer still holds.
pub(crate) fn not_modified(tag: &str, window: Window, now: TimestampMs) -> Response<Body> {
    tagged(unchanged(tag), tag, window, now)
}

/// The same for an answer that is asked for again each time.
pub(crate) fn unchanged(tag: &str) -> Response<Body> {
    let mut response = with(StatusCode::NOT_MODIFIED, "application/json", String::new());
    response.headers_mut().remove(header::CONTENT_TYPE);
    with_tag(response, tag)
}

/// A window that is over changes only by late reports; one that runs, with every report. Never beyond the end of the
/// running point, whose answer has other points.
fn cache_control(window: Window, now: TimestampMs) -> String {
    if window.to() <= now {
        return format!("private, max-age={CLOSED_FRESH_S}");
    }
    let step_ms = window.step().ms();
    let left_s = (step_ms - now.ms_since(now.aligned_to(step_ms))) / SECOND_MS;
    format!("private, max-age={}", left_s.min(RUNNING_FRESH_S))
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
