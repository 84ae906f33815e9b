//! The `@connections` API: functions post to connections, look at them and close them.
//!
//! Answers carry the error code in the header and the message in the body, from which the SDK builds its typed
//! errors. Signatures are not verified, only asked for: an unsigned call is a bug that AWS would refuse.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::bind::BoundListeners;
use crate::clock;
use crate::serve::serve;
use crate::websocket::{Closing, Live, MAX_MESSAGE_BYTES, Registry};

/// The scheme that signed requests name.
const SIGNATURE: &str = "AWS4-HMAC-SHA256";

/// The API while it is served: functions need it from their start, before there are clients, until they have ended.
#[derive(Debug)]
pub(crate) struct Management {
    /// The connections that there are.
    pub(crate) registry: Arc<Registry>,
    stop: CancellationToken,
}

impl Management {
    /// Serves the API on the listeners of `bound`; the stage is the first segment of its paths.
    pub(crate) fn open(bound: BoundListeners, stage: Option<&str>) -> Self {
        let (registry, stop) = (Arc::new(Registry::default()), CancellationToken::new());
        let stage = stage.unwrap_or_default().to_owned();
        let desk = Arc::new(Desk { registry: Arc::clone(&registry), stage });
        serve(bound.listeners, &Router::new().fallback(answer).with_state(desk), &stop);
        Self { registry, stop }
    }

    /// Ends the API after the requests under way.
    pub(crate) fn close(self) {
        self.stop.cancel();
    }
}

/// What the API works on.
#[derive(Debug)]
struct Desk {
    registry: Arc<Registry>,
    stage: String,
}

/// An answer that is no success.
enum Refusal {
    Forbidden(&'static str),
    Gone,
    TooLarge,
    BadRequest(&'static str),
}

async fn answer(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let outcome = match find(&desk, &parts.headers, parts.uri.path()) {
        Ok(live) => act(&parts.method, &live, body).await,
        Err(refusal) => Err(refusal),
    };
    outcome.unwrap_or_else(IntoResponse::into_response)
}

fn find(desk: &Desk, headers: &HeaderMap, path: &str) -> Result<Arc<Live>, Refusal> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !authorization.unwrap_or_default().starts_with(SIGNATURE) {
        return Err(Refusal::Forbidden("Missing Authentication Token"));
    }
    let path = percent_decode_str(path).decode_utf8_lossy();
    let below = path.strip_prefix('/').and_then(|path| path.strip_prefix(desk.stage.as_str()));
    let id = below.and_then(|path| path.strip_prefix("/@connections/"));
    let id = id.filter(|id| !id.is_empty() && !id.contains('/')).ok_or(Refusal::Forbidden("Forbidden"))?;
    desk.registry.find(id).ok_or(Refusal::Gone)
}

async fn act(method: &Method, live: &Live, body: Body) -> Result<Response, Refusal> {
    match *method {
        Method::POST => {
            let body = axum::body::to_bytes(body, MAX_MESSAGE_BYTES).await.map_err(|_| Refusal::TooLarge)?;
            let text = String::from_utf8(body.to_vec())
                .map_err(|_| Refusal::BadRequest("the message is no UTF-8 text"))?;
            live.post(text).map_err(|_| Refusal::Gone)?;
            Ok(StatusCode::OK.into_response())
        }
        Method::GET => {
            let session = &live.session;
            let mut identity = json!({ "sourceIp": session.source_ip });
            if let (Some(agent), Some(identity)) = (&session.user_agent, identity.as_object_mut()) {
                identity.insert("userAgent".into(), json!(agent));
            }
            let body = json!({
                "connectedAt": clock::iso_time(session.connected_at_ms),
                "lastActiveAt": clock::iso_time(live.last_active_ms()),
                "identity": identity,
            });
            Ok(json_response(StatusCode::OK, &body.to_string(), None))
        }
        Method::DELETE => {
            live.close(Closing::Deleted);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(Refusal::Forbidden("Forbidden")),
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::Forbidden(message) => (StatusCode::FORBIDDEN, "ForbiddenException", message),
            Self::Gone => (StatusCode::GONE, "GoneException", "Gone"),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException", "Payload too large")
            }
            Self::BadRequest(message) => (StatusCode::BAD_REQUEST, "BadRequestException", message),
        };
        json_response(status, &json!({ "message": message }).to_string(), Some(code))
    }
}

fn json_response(status: StatusCode, body: &str, code: Option<&'static str>) -> Response {
    let mut response =
        (status, [(header::CONTENT_TYPE, "application/json")], body.to_owned()).into_response();
    if let Some(code) = code {
        response.headers_mut().insert("x-amzn-errortype", header::HeaderValue::from_static(code));
    }
    response
}
