//! HTTP answers: JSON, CSV and errors, with the headers that all of them carry.
//!
//! CORS is API Gateway's matter, as the template configures it.

use std::hash::{DefaultHasher, Hash, Hasher};

use lambda_http::http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Request, Response};
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::{SECOND_MS, TimestampMs};
use nsl_domain::window::Window;
use serde::Serialize;

use crate::request;
use crate::rollup_cache::{CACHE_TTL_MS, closed_to};

/// Longest that an answer may be used without asking, in seconds, while reports of its window may still be accepted:
/// late ones re-open what is over, and the running point of a week would hide an hour of them.
const OPEN_FRESH_S: i64 = 60;

/// The same for a window that is closed: as long as this function itself believes what it has read.
const CLOSED_FRESH_S: i64 = CACHE_TTL_MS / SECOND_MS;

/// Answers are for this caller alone; without a validity of its own each is asked for each time.
const ALWAYS_ASKED: &str = "private, no-cache";

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

/// How long an answer holds, and how it is asked whether it still does.
#[derive(Debug)]
pub(crate) struct Validity {
    /// Its entity tag.
    pub(crate) tag: String,
    fresh_s: i64,
}

impl Validity {
    /// That of an answer about `window` which depends on nothing but the window and `parts`.
    ///
    /// It is never fresh beyond the end of the running point, whose answer has other points.
    pub(crate) fn of_window(parts: impl Hash, window: Window, now: TimestampMs) -> Self {
        // The same words mean another window as time goes on: one without `to`, or whose step is no longer kept.
        let tag = tag((parts, window.from(), window.to(), window.step()));
        if window.to() <= closed_to(now) {
            return Self { tag, fresh_s: CLOSED_FRESH_S };
        }
        if window.to() <= now {
            return Self { tag, fresh_s: OPEN_FRESH_S };
        }
        let step_ms = window.step().ms();
        let left_s = (step_ms - now.ms_since(now.aligned_to(step_ms))) / SECOND_MS;
        Self { tag, fresh_s: left_s.min(OPEN_FRESH_S) }
    }
}

/// The entity tag of an answer that depends on nothing but `parts`. Weak: `completeTo` moves on meanwhile.
fn tag(parts: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("W/\"{:016x}\"", hasher.finish())
}

/// `response` with its tag, and how long it may be used without asking.
pub(crate) fn tagged(response: Response<Body>, validity: &Validity) -> Response<Body> {
    if response.status() != StatusCode::OK && response.status() != StatusCode::NOT_MODIFIED {
        return response;
    }
    let control = format!("private, max-age={}", validity.fresh_s);
    with_validity(response, &validity.tag, &control)
}

/// Nothing but that the caller's answer still holds.
pub(crate) fn not_modified(validity: &Validity) -> Response<Body> {
    tagged(unchanged(), validity)
}

/// `value` as JSON with a tag of its text, or nothing but that the caller has that text. Such an answer is about this
/// very moment, so that it is asked for each time.
pub(crate) fn revalidated(request: &Request, value: &impl Serialize) -> Response<Body> {
    let response = json(value);
    let Body::Text(text) = response.body() else { return response };
    let tag = tag((request::representation_key(request), text));
    let response = if request::has_etag(request, &tag) { unchanged() } else { response };
    with_validity(response, &tag, ALWAYS_ASKED)
}

/// The same for a value that names the moment itself: only `parts` of it decide whether the caller has it.
pub(crate) fn revalidated_by(request: &Request, parts: impl Hash, value: &impl Serialize) -> Response<Body> {
    let tag = tag((request::representation_key(request), parts));
    let response = if request::has_etag(request, &tag) { unchanged() } else { json(value) };
    with_validity(response, &tag, ALWAYS_ASKED)
}

fn unchanged() -> Response<Body> {
    let mut response = with(StatusCode::NOT_MODIFIED, "application/json", String::new());
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

fn with_validity(mut response: Response<Body>, tag: &str, control: &str) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in [(header::ETAG, tag), (header::CACHE_CONTROL, control)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
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
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(ALWAYS_ASKED));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization, Origin, Accept"));
    response
}
