//! Lambda's Runtime API (2018-06-01) for one process.
//!
//! The variable that names the API is `host:port` without a path, so each process has its own listener, which also
//! identifies the process that calls.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::ids;

/// Lambda limits a response to 6 MB. A little more is read, so that the process gets an error status for it.
const MAX_RESPONSE_BYTES: usize = 7 * 1024 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) event: Bytes,
    pub(crate) deadline_ms: i64,
    pub(crate) function_arn: String,
}

/// A call of the process to its Runtime API.
#[derive(Debug)]
pub(crate) enum RuntimeCall {
    /// It asks for an invocation: it is initialised, or done with the last one.
    Next,
    Response {
        request_id: String,
        body: Bytes,
    },
    Error {
        request_id: String,
        body: Bytes,
    },
    InitError {
        body: Bytes,
    },
}

/// The Runtime API of one process.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) address: String,
    pub(crate) invocations: mpsc::Sender<Invocation>,
    pub(crate) calls: mpsc::UnboundedReceiver<RuntimeCall>,
    _server: AbortOnDropHandle<std::io::Result<()>>,
}

#[derive(Debug)]
struct ApiState {
    invocations: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    calls: mpsc::UnboundedSender<RuntimeCall>,
    /// The request id of the current invocation: a response to another one is rejected.
    current: Mutex<Option<String>>,
}

impl RuntimeApi {
    pub(crate) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (invocations, queue) = mpsc::channel(1);
        let (called, calls) = mpsc::unbounded_channel();
        let state = ApiState {
            invocations: tokio::sync::Mutex::new(queue),
            calls: called,
            current: Mutex::new(None),
        };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(MAX_RESPONSE_BYTES))
            .with_state(Arc::new(state));
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, invocations, calls, _server: AbortOnDropHandle::new(server) })
    }
}

async fn next(State(state): State<Arc<ApiState>>) -> Response {
    let mut invocations = state.invocations.lock().await;
    if state.calls.send(RuntimeCall::Next).is_err() {
        return StatusCode::GONE.into_response();
    }
    let Some(invocation) = invocations.recv().await else { return StatusCode::GONE.into_response() };
    *state.current.lock() = Some(invocation.request_id.clone());
    let headers = [
        ("lambda-runtime-aws-request-id", invocation.request_id),
        ("lambda-runtime-deadline-ms", invocation.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", invocation.function_arn),
        ("lambda-runtime-trace-id", ids::trace_id()),
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
    ];
    (headers, Body::from(invocation.event)).into_response()
}

impl ApiState {
    /// Forwards a response or error if it belongs to the current invocation.
    fn finish(&self, request_id: &str, call: RuntimeCall) -> Response {
        let mut current = self.current.lock();
        if current.as_deref() != Some(request_id) {
            let body = r#"{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}"#;
            return (StatusCode::BAD_REQUEST, body).into_response();
        }
        *current = None;
        self.forward(call)
    }

    fn forward(&self, call: RuntimeCall) -> Response {
        match self.calls.send(call) {
            Ok(()) => (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response(),
            Err(_) => StatusCode::GONE.into_response(),
        }
    }
}

async fn response(State(state): State<Arc<ApiState>>, Path(id): Path<String>, body: Bytes) -> Response {
    state.finish(&id, RuntimeCall::Response { request_id: id.clone(), body })
}

async fn error(State(state): State<Arc<ApiState>>, Path(id): Path<String>, body: Bytes) -> Response {
    state.finish(&id, RuntimeCall::Error { request_id: id.clone(), body })
}

async fn init_error(State(state): State<Arc<ApiState>>, body: Bytes) -> Response {
    state.forward(RuntimeCall::InitError { body })
}
