//! The `@connections` API for connections that exist only as names: frames are recorded, not delivered.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use nsl_domain::time::TimestampMs;
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::call::Call;
use crate::call_log::CallLog;
use crate::server::TestServer;

/// The stage of the API: the first segment of every path.
const STAGE: &str = "live";

/// The response to calls about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// 410: the connection does not exist any more.
    Gone,
    /// 410 without the error's code, as some proxies leave it.
    GoneWithoutCode,
    /// 429: too many calls.
    Throttled,
    /// 500: a fault of API Gateway.
    InternalError,
    /// 403: no permission.
    Forbidden,
    /// None until [`FakeConnectionsApi::unblock`].
    Blocked,
    /// It was last active then, in milliseconds since 1970. Others are active in the far future.
    LastActive(i64),
}

/// The API. A connection without a [`Behaviour`] accepts every frame.
#[derive(Debug)]
pub struct FakeConnectionsApi {
    server: TestServer,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    calls: CallLog,
    behaviours: Mutex<HashMap<String, Behaviour>>,
    unblocked: watch::Sender<bool>,
}

impl FakeConnectionsApi {
    pub(crate) async fn start(calls: CallLog) -> Self {
        let state =
            Arc::new(State { calls, behaviours: Mutex::default(), unblocked: watch::Sender::new(false) });
        let shared = Arc::clone(&state);
        let server = TestServer::start(move |request| {
            let state = Arc::clone(&shared);
            async move { Some(state.respond(request).await) }
        });
        Self { server: server.await, state }
    }

    /// The address of the API's stage.
    pub fn url(&self) -> String {
        format!("http://{}/{STAGE}", self.server.address)
    }

    /// Responds like this to calls about `connection` from now on.
    pub fn set_behaviour(&self, connection: &str, behaviour: Behaviour) {
        self.state.behaviours.lock().insert(connection.to_owned(), behaviour);
    }

    /// Responds to every blocked call.
    pub fn unblock(&self) {
        self.state.unblocked.send_replace(true);
    }

    /// Closes every connection to it and accepts none.
    pub fn go_offline(&self) {
        self.server.set_online(false);
    }

    /// Accepts connections again.
    pub fn go_online(&self) {
        self.server.set_online(true);
    }
}

impl State {
    async fn respond(&self, request: Request<Bytes>) -> Response<Body> {
        // AWS rejects unsigned calls and calls to another stage.
        let prefix = format!("/{STAGE}/@connections/");
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned();
        let connection = path.strip_prefix(&prefix).filter(|_| request.headers().contains_key(AUTHORIZATION));
        let Some(connection) = connection else {
            return error(StatusCode::FORBIDDEN, "ForbiddenException");
        };
        self.calls.add(Call {
            operation: request.method().to_string(),
            target: connection.to_owned(),
            body: serde_json::from_slice(request.body())
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(request.body()).into_owned())),
        });
        let behaviour = self.behaviours.lock().get(connection).copied();
        match behaviour {
            Some(Behaviour::Gone) => error(StatusCode::GONE, "GoneException"),
            Some(Behaviour::GoneWithoutCode) => with_status(StatusCode::GONE, Body::empty()),
            Some(Behaviour::Throttled) => error(StatusCode::TOO_MANY_REQUESTS, "LimitExceededException"),
            Some(Behaviour::InternalError) => with_status(StatusCode::INTERNAL_SERVER_ERROR, Body::empty()),
            Some(Behaviour::Forbidden) => error(StatusCode::FORBIDDEN, "ForbiddenException"),
            Some(Behaviour::Blocked) => {
                // The sender lives as long as this state, so the wait cannot fail.
                drop(self.unblocked.subscribe().wait_for(|unblocked| *unblocked).await);
                success(request.method(), i64::MAX)
            }
            Some(Behaviour::LastActive(at_ms)) => success(request.method(), at_ms),
            None => success(request.method(), i64::MAX),
        }
    }
}

fn success(method: &Method, last_active_ms: i64) -> Response<Body> {
    match *method {
        Method::DELETE => with_status(StatusCode::NO_CONTENT, Body::empty()),
        Method::GET => {
            let at = TimestampMs::clamped(last_active_ms).to_string();
            let identity = json!({"sourceIp": "203.0.113.7", "userAgent": "ws"});
            let body = json!({"connectedAt": at, "lastActiveAt": at, "identity": identity});
            with_status(StatusCode::OK, Body::from(body.to_string()))
        }
        _ => with_status(StatusCode::OK, Body::empty()),
    }
}

/// An error as API Gateway writes it: its code in a header, its message in the body.
fn error(status: StatusCode, code: &'static str) -> Response<Body> {
    let mut response = with_status(status, Body::from(json!({"message": "injected"}).to_string()));
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
    response
}

fn with_status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
