//! HTTP responses: JSON, CSV and errors with their cache headers. API Gateway adds CORS, as in the template.

use lambda_http::http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Request, Response};
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::{SECOND_MS, TimestampMs};
use nsl_domain::window::Window;
use serde::Serialize;

use crate::fingerprint::{Fingerprint, FingerprintBytes, hex};
use crate::request;
use crate::rollup_cache::{CACHE_TTL_MS, immutable_before};

/// Longest `max-age` of a window that can still change: late reports change points that are over, and a response of
/// the running point of a week would hide up to an hour of them.
const MAX_AGE_S: i64 = 60;

/// `max-age` of a window that cannot change any more: as long as this function caches what it read of it.
const IMMUTABLE_MAX_AGE_S: i64 = CACHE_TTL_MS / SECOND_MS;

/// A response is only for its caller, and is revalidated each time unless it has a `max-age`.
const NO_CACHE: &str = "private, no-cache";

/// The version of what computes answers, part of each tag: otherwise a caller would keep an answer that a deployment has
/// changed. It is the hash of the answers in tests/golden.rs, whose test names the new one when they change.
pub(crate) const ANSWER_VERSION: &str = "12249556ccc30f06f2d51c4573b5c198";

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

/// What HEAD gets instead of `response`: its headers, and the length of its body in place of the body.
pub(crate) fn without_body(mut response: Response<Body>) -> Response<Body> {
    let length = std::mem::replace(response.body_mut(), Body::Empty).len();
    if response.status() != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// CSV text with status 200.
pub(crate) fn csv(text: String) -> Response<Body> {
    response(StatusCode::OK, CSV, text)
}

/// `{message, code, field?, retryAfterMs?}` with the status of the code, and `Retry-After` where that is known.
pub(crate) fn rejected(rejection: &Rejection) -> Response<Body> {
    let text = serde_json::to_string(rejection).unwrap_or_default();
    let mut response = response(status_of(rejection.code), "application/json", text);
    if let Some(wait_ms) = rejection.retry_after_ms {
        // Whole seconds, rounded up: RFC 9110 has no finer ones.
        let wait_s = (wait_ms.max(0) + SECOND_MS - 1) / SECOND_MS;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    }
    response
}

/// The response to an unknown path.
pub(crate) fn not_found() -> Response<Body> {
    let text = r#"{"message":"there is no such path","code":"not_found"}"#;
    response(StatusCode::NOT_FOUND, "application/json", text.to_owned())
}

/// The tag that revalidates a response, and how long it may be used.
#[derive(Debug)]
pub(crate) struct Validity {
    tag: String,
    cache_control: String,
}

impl Validity {
    /// The validity of an answer to `request` about `window` that depends only on the window and `parts`. `max-age` ends
    /// with the running point, when the answer gets another point.
    pub(crate) fn of_window(
        request: &Request,
        parts: &[FingerprintBytes],
        window: Window,
        now: TimestampMs,
    ) -> Self {
        let step_ms = window.step().ms();
        let max_age_s = if window.to() <= immutable_before(now) {
            IMMUTABLE_MAX_AGE_S
        } else if window.to() <= now {
            MAX_AGE_S
        } else {
            MAX_AGE_S.min((step_ms - now.ms_since(now.aligned_to(step_ms))) / SECOND_MS)
        };
        let mut fingerprint = Fingerprint::default();
        parts.iter().for_each(|part| fingerprint.add(part));
        // Without `to`, or once its step is no longer stored, the same query selects another window later.
        for number in [window.from().ms(), window.to().ms(), step_ms] {
            fingerprint.add_number(number);
        }
        let cache_control = format!("private, max-age={max_age_s}");
        Self { cache_control, ..Self::of_present(request, fingerprint) }
    }

    /// The validity of an answer to `request` about the present moment that depends only on `content`: it is revalidated
    /// each time. The tag is weak, because `completeTo` changes in between.
    pub(crate) fn of_present(request: &Request, content: Fingerprint) -> Self {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add(ANSWER_VERSION);
        fingerprint.add(request::representation_key(request));
        fingerprint.add(content.finish());
        Self { tag: format!("W/\"{}\"", hex(fingerprint.finish())), cache_control: NO_CACHE.to_owned() }
    }
}

/// The response of `render` with its cache headers, or status 304 if the caller has it.
///
/// # Errors
/// Those of `render`.
pub(crate) fn revalidated<E>(
    request: &Request,
    validity: &Validity,
    render: impl FnOnce() -> Result<Response<Body>, E>,
) -> Result<Response<Body>, E> {
    let mut response = if request::has_etag(request, &validity.tag) {
        let mut response = response(StatusCode::NOT_MODIFIED, "application/json", String::new());
        response.headers_mut().remove(header::CONTENT_TYPE);
        response
    } else {
        render()?
    };
    if response.status().is_server_error() {
        return Ok(response);
    }
    for (name, value) in [(header::ETAG, &validity.tag), (header::CACHE_CONTROL, &validity.cache_control)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// `value`, which is about the present moment, as JSON with a tag of its text.
pub(crate) fn revalidated_json<E>(request: &Request, value: &impl Serialize) -> Result<Response<Body>, E> {
    let response = json(value);
    let Body::Text(text) = response.body() else { return Ok(response) };
    let mut content = Fingerprint::default();
    content.add(text);
    let validity = Validity::of_present(request, content);
    revalidated(request, &validity, || Ok(response))
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
    headers.insert(header::VARY, HeaderValue::from_static("Authorization, Origin, Accept, Accept-Encoding"));
    response
}
