//! The `@connections` API: functions post to connections, describe them and close them.
//!
//! Errors carry their code in a header and their message in the body, from which the SDK builds its typed errors.
//! Calls must be signed with the gateway's access key.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::access_key::AccessKey;
use crate::bind::BoundListeners;
use crate::clock;
use crate::endpoints::Endpoints;
use crate::guard::AllowedPages;
use crate::serve::serve;
use crate::websocket::{Connection, Disconnect, MAX_MESSAGE_BYTES, Registry};

/// The running API. Functions need it as long as they run, so it starts before the other servers and stops after them.
#[derive(Debug)]
pub(crate) struct ManagementApi {
    pub(crate) registry: Arc<Registry>,
    stop: CancellationToken,
}

impl ManagementApi {
    /// Serves the API on the listeners of `bound`; the stage is the first segment of its paths.
    pub(crate) fn start(bound: BoundListeners, endpoints: &Endpoints) -> Self {
        let (registry, stop) = (Arc::new(Registry::default()), CancellationToken::new());
        let stage = endpoints.stage.clone().unwrap_or_default();
        let access_key = endpoints.access_key.clone();
        let state = ApiState { registry: Arc::clone(&registry), stage, access_key };
        let router = Router::new().fallback(handle).with_state(Arc::new(state));
        serve(bound, AllowedPages::None, router, &stop);
        Self { registry, stop }
    }

    /// Stops the API after the open requests.
    pub(crate) fn stop(self) {
        self.stop.cancel();
    }
}

#[derive(Debug)]
struct ApiState {
    registry: Arc<Registry>,
    stage: String,
    access_key: AccessKey,
}

async fn handle(State(state): State<Arc<ApiState>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let result = match find_connection(&state, &parts.headers, parts.uri.path()) {
        Ok(connection) => call(&parts.method, &connection, body).await,
        Err(error) => Err(error),
    };
    result.unwrap_or_else(IntoResponse::into_response)
}

fn find_connection(state: &ApiState, headers: &HeaderMap, path: &str) -> Result<Arc<Connection>, ApiError> {
    if !state.access_key.has_signed(headers) {
        return Err(forbidden("The security token included in the request is invalid."));
    }
    let path = percent_decode_str(path).decode_utf8_lossy();
    let below_stage = path.strip_prefix('/').and_then(|path| path.strip_prefix(state.stage.as_str()));
    let id = below_stage.and_then(|path| path.strip_prefix("/@connections/"));
    let id = id.filter(|id| !id.is_empty() && !id.contains('/')).ok_or(forbidden("Forbidden"))?;
    state.registry.get(id).ok_or(GONE)
}

async fn call(method: &Method, connection: &Connection, body: Body) -> Result<Response, ApiError> {
    match *method {
        Method::POST => {
            let body = axum::body::to_bytes(body, MAX_MESSAGE_BYTES).await.map_err(|_| {
                ApiError(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException", "Payload too large")
            })?;
            let text = String::from_utf8(body.to_vec()).map_err(|_| {
                ApiError(StatusCode::BAD_REQUEST, "BadRequestException", "the message is not UTF-8 text")
            })?;
            connection.post(text).map_err(|_| GONE)?;
            Ok(StatusCode::OK.into_response())
        }
        Method::GET => {
            let context = &connection.context;
            let body = json!({
                "connectedAt": clock::iso_time(context.connected_at_ms),
                "lastActiveAt": clock::iso_time(connection.last_active_ms()),
                "identity": context.identity(),
            });
            Ok(json_response(StatusCode::OK, &body))
        }
        Method::DELETE => {
            connection.close(Disconnect::DELETED);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(forbidden("Forbidden")),
    }
}

/// An error response of the API: its status, code and message.
struct ApiError(StatusCode, &'static str, &'static str);

const GONE: ApiError = ApiError(StatusCode::GONE, "GoneException", "Gone");

fn forbidden(message: &'static str) -> ApiError {
    ApiError(StatusCode::FORBIDDEN, "ForbiddenException", message)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        let mut response = json_response(status, &json!({ "message": message }));
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
        response
    }
}

fn json_response(status: StatusCode, body: &Json) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
