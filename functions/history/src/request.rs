//! What the handlers need of an HTTP request: route, grant, accepted media type and codings, entity tags.

use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use lambda_http::http::header::{self, HeaderName};
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use nsl_aws::event::GRANT;
use nsl_aws::origin_secret::ORIGIN_SECRET_HEADER;
use nsl_domain::grant::Grant;
use serde_json::Value;

use crate::negotiate::{Codings, MediaType};

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

/// Whether only the headers of the answer are asked for.
pub(crate) fn is_head(request: &Request) -> bool {
    route_key(request).starts_with("HEAD ")
}

/// The media type that the caller prefers.
pub(crate) fn media_type(request: &Request) -> MediaType {
    MediaType::preferred(text(request, header::ACCEPT).unwrap_or_default())
}

/// The content codings that the caller accepts.
pub(crate) fn codings(request: &Request) -> Codings {
    Codings::accepted(text(request, header::ACCEPT_ENCODING).unwrap_or_default())
}

/// Whether `If-None-Match` lists `tag` or is `*`: RFC 9110 §13.1.2, by weak comparison.
pub(crate) fn has_etag(request: &Request, tag: &str) -> bool {
    let Some(tags) = text(request, header::IF_NONE_MATCH).map(str::trim) else { return false };
    tags == "*" || tags.split(',').any(|one| opaque(one.trim()) == opaque(tag))
}

/// A tag without the mark of a weak one.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Path, query, media type and codings: while the same is stored, equal keys have equal answers.
pub(crate) fn representation_key(request: &Request) -> String {
    let (path, query) = (request.raw_http_path(), request.uri().query().unwrap_or_default());
    format!("{path} {query} {:?} {:?}", media_type(request), codings(request))
}

/// What the proxy in front of the APIs sends, if it is there.
pub(crate) fn origin_secret(request: &Request) -> Option<&str> {
    text(request, HeaderName::from_static(ORIGIN_SECRET_HEADER))
}

fn text(request: &Request, name: HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}
