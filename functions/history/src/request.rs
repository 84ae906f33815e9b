//! What the handlers need of an HTTP request: route, grant, accepted media type, entity tags.

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

/// The key of the route that API Gateway selected, such as `GET /apps/{appId}/metrics`, or empty.
pub(crate) fn route_key(request: &Request) -> &str {
    context(request).and_then(|context| context.route_key.as_deref()).unwrap_or_default()
}

/// The grant of the authorizer.
pub(crate) fn grant(request: &Request) -> Option<Grant> {
    grant_text(request).and_then(Grant::from_text)
}

/// The text of the grant: the same in every call with the same credential.
pub(crate) fn grant_text(request: &Request) -> Option<&str> {
    let fields = &context(request)?.authorizer.as_ref()?.fields;
    fields.get(GRANT).and_then(Value::as_str)
}

pub(crate) fn accepts_csv(request: &Request) -> bool {
    text(request, header::ACCEPT).is_some_and(|accepted| accepted.contains("text/csv"))
}

/// Whether `If-None-Match` lists `tag`: RFC 9110 §13.1.2, by weak comparison.
pub(crate) fn has_etag(request: &Request, tag: &str) -> bool {
    let opaque = tag.trim_start_matches("W/");
    let Some(tags) = text(request, header::IF_NONE_MATCH) else { return false };
    tags.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == "*" || one == opaque)
}

/// Path, query and media type: while the same is stored, equal keys have equal answers.
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
