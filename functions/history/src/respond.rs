//! HTTP responses: JSON, CSV and errors with their cache headers. API Gateway adds CORS, as in the template.

use std::hash::{DefaultHasher, Hash, Hasher};

use lambda_http::http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Request, Response};
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::{SECOND_MS, TimestampMs};
use nsl_domain::window::Window;
use serde::Serialize;

use crate::request;
use crate::rollup_cache::{CACHE_TTL_MS, immutable_before};

/// Longest `max-age` of a window that can still change: late reports change points that are over, and a response of
/// the running point of a week would hide up to an hour of them.
const MAX_AGE_S: i64 = 60;

/// `max-age` of a window that cannot change any more: as long as this function caches what it read of it.
const IMMUTABLE_MAX_AGE_S: i64 = CACHE_TTL_MS / SECOND_MS;

/// A response is only for its caller, and is revalidated each time unless it has a `max-age`.
const NO_CACHE: &str = "private, no-cache";

/// RFC 7111.
const CSV: &str = "text/csv; charset=utf-8";

/// `value` as JSON with status 200.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_string(value) {
        Ok(text) => response(StatusCode::OK, "application/json", text),
        Err(error) => {
            tracing::error!(reason = %error, "encoding a response failed");
            rejected(&Rejection::unavailable())
        }
    }
}

/// CSV text with status 200.
pub(crate) fn csv(text: String) -> Response<Body> {
    response(StatusCode::OK, CSV, text)
}

/// `{message, code, field?}` with the status of the code.
pub(crate) fn rejected(rejection: &Rejection) -> Response<Body> {
    let text = serde_json::to_string(rejection).unwrap_or_default();
    response(status_of(rejection.code), "application/json", text)
}

/// The response to an unknown path.
pub(crate) fn not_found() -> Response<Body> {
    let text = r#"{"message":"there is no such path","code":"not_found"}"#;
    response(StatusCode::NOT_FOUND, "application/json", text.to_owned())
}

/// How long a response may be used, and the tag that revalidates it.
#[derive(Debug)]
pub(crate) struct Validity {
    /// Its entity tag.
    pub(crate) tag: String,
    max_age_s: i64,
}

impl Validity {
    /// The validity of an answer about `window` that depends only on the window and `parts`. `max-age` ends with the
    /// running point, when the answer gets another point.
    pub(crate) fn of_window(parts: impl Hash, window: Window, now: TimestampMs) -> Self {
        // The same query means another window later: without `to`, or when its step is no longer stored.
        let tag = tag((parts, window.from(), window.to(), window.step()));
        if window.to() <= immutable_before(now) {
            return Self { tag, max_age_s: IMMUTABLE_MAX_AGE_S };
        }
        if window.to() <= now {
            return Self { tag, max_age_s: MAX_AGE_S };
        }
        let step_ms = window.step().ms();
        let left_s = (step_ms - now.ms_since(now.aligned_to(step_ms))) / SECOND_MS;
        Self { tag, max_age_s: left_s.min(MAX_AGE_S) }
    }
}

/// The entity tag of an answer that depends only on `parts`. Weak, because `completeTo` changes in between.
fn tag(parts: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("W/\"{:016x}\"", hasher.finish())
}

/// `response` with its tag and `max-age`, unless it is an error.
pub(crate) fn with_validity(response: Response<Body>, validity: &Validity) -> Response<Body> {
    if response.status() != StatusCode::OK && response.status() != StatusCode::NOT_MODIFIED {
        return response;
    }
    with_cache_headers(response, &validity.tag, &format!("private, max-age={}", validity.max_age_s))
}

/// Status 304 with the validity of the answer that the caller has.
pub(crate) fn not_modified(validity: &Validity) -> Response<Body> {
    with_validity(empty_not_modified(), validity)
}

/// `value` as JSON with a tag of its text, or status 304 if the caller has that text. It is about the present moment,
/// so it is revalidated each time.
pub(crate) fn revalidated(request: &Request, value: &impl Serialize) -> Response<Body> {
    let response = json(value);
    let Body::Text(text) = response.body() else { return response };
    let tag = tag((request::representation_key(request), text));
    let response = if request::has_etag(request, &tag) { empty_not_modified() } else { response };
    with_cache_headers(response, &tag, NO_CACHE)
}

/// The same for a value that contains the present moment: the tag depends only on `parts` of it.
pub(crate) fn revalidated_by(request: &Request, parts: impl Hash, value: &impl Serialize) -> Response<Body> {
    let tag = tag((request::representation_key(request), parts));
    let response = if request::has_etag(request, &tag) { empty_not_modified() } else { json(value) };
    with_cache_headers(response, &tag, NO_CACHE)
}

fn empty_not_modified() -> Response<Body> {
    let mut response = response(StatusCode::NOT_MODIFIED, "application/json", String::new());
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

fn with_cache_headers(mut response: Response<Body>, tag: &str, cache_control: &str) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in [(header::ETAG, tag), (header::CACHE_CONTROL, cache_control)] {
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
        Code::InvalidJson
        | Code::UnknownType
        | Code::MissingField
        | Code::InvalidField
        | Code::TooLarge
        | Code::TooDeep
        | Code::TooManySeries
        | Code::TimestampOutOfRange => StatusCode::BAD_REQUEST,
    }
}

fn response(status: StatusCode, media_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::Text(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(NO_CACHE));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization, Origin, Accept"));
    response
}
