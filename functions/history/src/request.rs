//! What an HTTP call says: its route, its parameters, its caller's grant, what it accepts and already has.

use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use lambda_http::http::header::{self, HeaderName};
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use nsl_aws::event::GRANT;
use nsl_domain::grant::Grant;
use serde_json::Value;

fn context(request: &Request) -> Option<&ApiGatewayV2httpRequestContext> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => Some(context),
        _ => None,
    }
}

/// The route that API Gateway chose, such as `GET /apps/{appId}/metrics`.
pub(crate) fn route(request: &Request) -> &str {
    context(request).and_then(|context| context.route_key.as_deref()).unwrap_or_default()
}

/// What the authorizer granted.
pub(crate) fn grant(request: &Request) -> Option<Grant> {
    let attached = &context(request)?.authorizer.as_ref()?.fields;
    attached.get(GRANT).and_then(Value::as_str).and_then(Grant::from_text)
}

/// Whether the caller asks for CSV.
pub(crate) fn accepts_csv(request: &Request) -> bool {
    text(request, header::ACCEPT).is_some_and(|accepted| accepted.contains("text/csv"))
}

/// Whether the caller has the answer with this tag already: RFC 9110 §13.1.2, by weak comparison.
pub(crate) fn has_etag(request: &Request, tag: &str) -> bool {
    let opaque = tag.trim_start_matches("W/");
    let Some(known) = text(request, header::IF_NONE_MATCH) else { return false };
    known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == "*" || one == opaque)
}

/// The call's own words: the same words mean the same answer as long as the same is stored.
pub(crate) fn representation_key(request: &Request) -> String {
    format!(
        "{} {} {}",
        request.raw_http_path(),
        request.uri().query().unwrap_or_default(),
        accepts_csv(request)
    )
}

fn text(request: &Request, name: HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}
