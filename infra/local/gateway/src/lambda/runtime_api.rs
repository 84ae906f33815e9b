//! Lambda's Runtime API (2018-06-01) for one process.
//!
//! Each process has its own listener, which identifies the process that calls, and its own secret, the first segment
//! of every path. AWS sets the variable that names the API to `host:port`; the Rust runtime also takes a URL with a path.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::error::{InvokeError, error_message};
use crate::access_key::is_equal;
use crate::bind::BoundListeners;
use crate::guard::AllowedPages;
use crate::ids;
use crate::serve::serve;

/// Lambda limits a response to 6 MB. A little more is read, so that the process gets an error status for it.
const MAX_RESPONSE_BYTES: usize = 7 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) event: Bytes,
    pub(crate) deadline_ms: i64,
    pub(crate) function_arn: String,
    /// Dropped without a result if the process asks for the next invocation instead.
    pub(crate) reply: oneshot::Sender<Result<Bytes, InvokeError>>,
}

/// The Runtime API of one process.
pub(crate) struct RuntimeApi {
    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) address: String,
    pub(crate) invocations: mpsc::Sender<Invocation>,
    state: Arc<ApiState>,
    _servers: Vec<AbortOnDropHandle<()>>,
}

struct ApiState {
    secret: String,
    invocations: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    current: Mutex<Option<Current>>,
    /// The process asks for an invocation: it is initialised, or done with the last one.
    is_ready: Notify,
    init_error: Mutex<Option<String>>,
}

/// The invocation that the process has; a response to another one is rejected.
#[derive(Debug)]
struct Current {
    request_id: String,
    reply: oneshot::Sender<Result<Bytes, InvokeError>>,
}

impl fmt::Debug for RuntimeApi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RuntimeApi").finish_non_exhaustive()
    }
}

impl RuntimeApi {
    pub(crate) async fn start() -> std::io::Result<Self> {
        let bound = BoundListeners::of(TcpListener::bind(("127.0.0.1", 0)).await?)?;
        let secret = ids::secret();
        let address = format!("http://{}/{secret}", bound.address);
        let (invocations, queue) = mpsc::channel(1);
        let state = Arc::new(ApiState {
            secret,
            invocations: tokio::sync::Mutex::new(queue),
            current: Mutex::new(None),
            is_ready: Notify::new(),
            init_error: Mutex::new(None),
        });
        let router = Router::new()
            .route("/{secret}/2018-06-01/runtime/invocation/next", get(next))
            .route("/{secret}/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/{secret}/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/{secret}/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(MAX_RESPONSE_BYTES))
            .layer(middleware::from_fn_with_state(Arc::clone(&state), check_secret))
            .with_state(Arc::clone(&state));
        // Aborted with the process, not stopped: it has no other caller.
        let servers = serve(bound, AllowedPages::None, router, &CancellationToken::new());
        let servers = servers.into_iter().map(AbortOnDropHandle::new).collect();
        Ok(Self { address, invocations, state, _servers: servers })
    }

    /// Waits until the process asks for an invocation, or reports that its initialisation failed.
    pub(crate) async fn ready(&self) -> Result<(), String> {
        self.state.is_ready.notified().await;
        self.state.init_error.lock().take().map_or(Ok(()), Err)
    }
}

async fn check_secret(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let given = request.uri().path().split('/').nth(1).unwrap_or_default();
    if !is_equal(given, &state.secret) {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}

async fn next(State(state): State<Arc<ApiState>>) -> Response {
    let mut invocations = state.invocations.lock().await;
    // Still there if its response was rejected, for example for its size.
    drop(state.current.lock().take());
    state.is_ready.notify_one();
    let Some(invocation) = invocations.recv().await else { return StatusCode::GONE.into_response() };
    let request_id = invocation.request_id.clone();
    *state.current.lock() = Some(Current { request_id, reply: invocation.reply });
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
    /// Passes on the result of the current invocation.
    fn finish(&self, request_id: &str, result: Result<Bytes, InvokeError>) -> Response {
        let current = self.current.lock().take_if(|current| current.request_id == request_id);
        let Some(current) = current else {
            let body = r#"{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}"#;
            return (StatusCode::BAD_REQUEST, body).into_response();
        };
        // The invocation may have timed out.
        drop(current.reply.send(result));
        accepted()
    }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response()
}

/// The segments of a path that differ: the secret and the id of an invocation.
type Segments = Path<(String, String)>;

async fn response(State(state): State<Arc<ApiState>>, Path((_, id)): Segments, body: Bytes) -> Response {
    state.finish(&id, Ok(body))
}

async fn error(State(state): State<Arc<ApiState>>, Path((_, id)): Segments, body: Bytes) -> Response {
    state.finish(&id, Err(InvokeError::Function { message: error_message(&body) }))
}

async fn init_error(State(state): State<Arc<ApiState>>, body: Bytes) -> Response {
    *state.init_error.lock() = Some(error_message(&body));
    state.is_ready.notify_one();
    accepted()
}
