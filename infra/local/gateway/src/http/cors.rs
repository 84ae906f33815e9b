//! CORS as in an HTTP API: preflights are answered without a function, every response to an allowed origin has the
//! headers, errors too, and CORS headers that functions set are replaced.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN,
};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::template::CorsPlan;

/// The headers that only the API's configuration may set.
const CORS_HEADERS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// The response to a preflight, if the request is one.
pub(crate) fn preflight(cors: &CorsPlan, method: &Method, request: &HeaderMap) -> Option<Response> {
    let is_preflight = *method == Method::OPTIONS && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let origin = request.get(ORIGIN).filter(|_| is_preflight)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(allowed) = allowed_origin(cors, origin) {
        let headers = response.headers_mut();
        set(headers, ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        set(headers, ACCESS_CONTROL_ALLOW_METHODS, &cors.methods.join(","));
        set(headers, ACCESS_CONTROL_ALLOW_HEADERS, &cors.headers.join(","));
        if cors.credentials {
            set(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        if let Some(seconds) = cors.max_age_s {
            set(headers, ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
    }
    Some(response)
}

/// Sets the headers of a response to a request from `origin`.
pub(crate) fn add_headers(cors: &CorsPlan, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    for name in CORS_HEADERS {
        headers.remove(name);
    }
    let Some(allowed) = origin.and_then(|origin| allowed_origin(cors, origin)) else { return };
    set(headers, ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose.join(","));
    if cors.credentials {
        set(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
}

/// The origin, if it is one of those that are allowed. Patterns are not supported: the template lists exact origins.
fn allowed_origin<'o>(cors: &CorsPlan, origin: &'o HeaderValue) -> Option<&'o str> {
    origin.to_str().ok().filter(|origin| cors.origins.iter().any(|allowed| allowed == origin))
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> CorsPlan {
        CorsPlan {
            origins: vec!["http://one.test".into()],
            methods: vec!["GET".into(), "OPTIONS".into()],
            headers: vec!["authorization".into()],
            expose: vec!["etag".into()],
            credentials: true,
            max_age_s: Some(600),
        }
    }

    fn request(origin: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("GET"));
        headers
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        let all = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let mut all: Vec<String> = all.collect();
        all.sort();
        all
    }

    #[test]
    fn preflights_list_what_is_allowed() {
        let response = preflight(&plan(), &Method::OPTIONS, &request("http://one.test")).unwrap();
        assert_eq!(response.status(), 204);
        assert_eq!(
            lines(response.headers()),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-headers: authorization",
                "access-control-allow-methods: GET,OPTIONS",
                "access-control-allow-origin: http://one.test",
                "access-control-max-age: 600",
            ]
        );
        let foreign = preflight(&plan(), &Method::OPTIONS, &request("http://two.test")).unwrap();
        assert!(foreign.headers().is_empty());
        assert!(preflight(&plan(), &Method::GET, &request("http://one.test")).is_none());
        assert!(preflight(&plan(), &Method::OPTIONS, &HeaderMap::new()).is_none());
    }

    #[test]
    fn responses_have_the_configured_headers_only() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        add_headers(&plan(), Some(&HeaderValue::from_static("http://one.test")), &mut headers);
        assert_eq!(
            lines(&headers),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-origin: http://one.test",
                "access-control-expose-headers: etag",
            ]
        );
        add_headers(&plan(), Some(&HeaderValue::from_static("http://one.test.evil")), &mut headers);
        assert!(headers.is_empty());
    }
}
