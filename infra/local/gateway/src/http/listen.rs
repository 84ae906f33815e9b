//! Requests of the HTTP API, from the base path to the response.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::events::{Call, origin};
use super::response::{self, error};
use super::{Front, authorize, cors, routes};
use crate::lambda::InvokeError;

/// API Gateway's limit of a request body.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// API Gateway's fixed integration timeout of HTTP APIs.
const INTEGRATION_PATIENCE: Duration = Duration::from_secs(30);

/// The HTTP API as a service.
pub(crate) fn router(front: Arc<Front>) -> Router {
    Router::new().fallback(serve).with_state(front)
}

async fn serve(
    State(front): State<Arc<Front>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    // A task of its own: a client that leaves does not end an invocation, as on AWS.
    let tasks = front.tasks.clone();
    let served = tasks.spawn(async move {
        let (parts, body) = request.into_parts();
        let source = peer.ip().to_canonical().to_string();
        let mut response = match &front.plan.cors {
            Some(plan) => match cors::preflight(plan, &parts.method, &parts.headers) {
                Some(preflight) => return preflight,
                None => answer_or_refusal(&front, &parts, body, source).await,
            },
            None => answer_or_refusal(&front, &parts, body, source).await,
        };
        if let Some(plan) = &front.plan.cors {
            cors::decorate(plan, origin(&parts.headers).as_ref(), response.headers_mut());
        }
        response
    });
    served.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn answer_or_refusal(front: &Front, parts: &Parts, body: Body, source_ip: String) -> Response {
    respond(front, parts, body, source_ip).await.unwrap_or_else(|refusal| refusal)
}

async fn respond(front: &Front, parts: &Parts, body: Body, source_ip: String) -> Result<Response, Response> {
    let path = below_base(parts.uri.path(), &front.base_path);
    let matched = routes::find(&front.plan.routes, parts.method.as_str(), path);
    let matched = matched.ok_or_else(|| error(StatusCode::NOT_FOUND, "Not Found"))?;
    let mut call = Call::read(parts, path, source_ip);
    call.route_key = matched.route.key.clone();
    call.path_parameters = matched.parameters;
    call.api_id = front.plan.api_id.clone();
    call.account_id = front.account_id.clone();
    call.region = front.region.clone();
    let context = match &matched.route.authorizer {
        Some(name) => Some(authorize::authorize(front, name, &call).await?),
        None => None,
    };
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES)
        .await
        .map_err(|_| error(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"))?;
    let event = call.event(&body, context);
    let internal = || error(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    match front.invoker.invoke(&matched.route.function, &event, INTEGRATION_PATIENCE).await {
        Ok(result) => response::read(&result).ok_or_else(internal),
        Err(InvokeError::TimedOut) => Err(error(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")),
        Err(_) => Err(internal()),
    }
}

/// `path` without the base path, if it has that.
fn below_base<'p>(path: &'p str, base: &str) -> &'p str {
    match path.strip_prefix(base) {
        Some("") => "/",
        Some(below) if below.starts_with('/') => below,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_taken_off_whole_segments() {
        assert_eq!(below_base("/api/logger/apps", "/api/logger"), "/apps");
        assert_eq!(below_base("/api/logger", "/api/logger"), "/");
        assert_eq!(below_base("/api/loggers", "/api/logger"), "/api/loggers");
        assert_eq!(below_base("/apps", ""), "/apps");
    }
}
