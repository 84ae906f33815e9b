//! Requests of the HTTP API, from the base path to the response.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::api::HttpApi;
use super::events::ApiRequest;
use super::response::{self, error};
use super::{authorize, cors, routes};
use crate::lambda::InvokeError;

/// API Gateway's limit for a request body.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// API Gateway's fixed integration timeout of HTTP APIs.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn router(api: Arc<HttpApi>) -> Router {
    Router::new().fallback(serve).with_state(api)
}

async fn serve(
    State(api): State<Arc<HttpApi>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    // In its own task, because as on AWS an invocation goes on when its client disconnects.
    let tasks = api.tasks.clone();
    let served = tasks.spawn(async move {
        let (parts, body) = request.into_parts();
        let cors = api.plan.cors.as_ref();
        if let Some(preflight) = cors.and_then(|cors| cors::preflight(cors, &parts.method, &parts.headers)) {
            return preflight;
        }
        let source_ip = peer.ip().to_canonical().to_string();
        let mut response = respond(&api, &parts, body, source_ip).await.unwrap_or_else(|error| error);
        if let Some(cors) = cors {
            cors::add_headers(cors, parts.headers.get(ORIGIN), response.headers_mut());
        }
        response
    });
    served.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// The function's response, or the API's own error response.
async fn respond(api: &HttpApi, parts: &Parts, body: Body, source_ip: String) -> Result<Response, Response> {
    let path = without_base_path(parts.uri.path(), &api.base_path);
    let matched = routes::find(&api.plan.routes, parts.method.as_str(), path);
    let matched = matched.ok_or_else(|| error(StatusCode::NOT_FOUND, "Not Found"))?;
    let mut request = ApiRequest::new(parts, path, source_ip);
    request.route_key = matched.route.key.clone();
    request.path_parameters = matched.parameters;
    request.api_id = api.plan.api_id.clone();
    request.region = api.region.clone();
    let context = match &matched.route.authorizer {
        Some(name) => Some(authorize::authorize(api, name, &request).await?),
        None => None,
    };
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES)
        .await
        .map_err(|_| error(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"))?;
    let event = request.event(&body, context);
    let internal_error = || error(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    match api.invoker.invoke(&matched.route.function, &event, INTEGRATION_TIMEOUT).await {
        Ok(result) => response::from_result(&result).ok_or_else(internal_error),
        Err(InvokeError::TimedOut) => Err(error(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")),
        Err(InvokeError::Function { .. } | InvokeError::Unavailable(_)) => Err(internal_error()),
    }
}

/// `path` without the base path, if it starts with that.
fn without_base_path<'p>(path: &'p str, base: &str) -> &'p str {
    match path.strip_prefix(base) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        Some(_) | None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_path_is_removed_in_whole_segments() {
        assert_eq!(without_base_path("/api/logger/apps", "/api/logger"), "/apps");
        assert_eq!(without_base_path("/api/logger", "/api/logger"), "/");
        assert_eq!(without_base_path("/api/loggers", "/api/logger"), "/api/loggers");
        assert_eq!(without_base_path("/apps", ""), "/apps");
    }
}
