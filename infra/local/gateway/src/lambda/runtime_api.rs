//! Lambda's Runtime API of 2018-06-01 for one process.
//!
//! The variable that names the API is `host:port` without a path, so each process has a listener of its own, which
//! also tells the gateway which process is speaking.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::ids;

/// Lambda's limit of a synchronous answer is 6 MB; a little more is read, so that the refusal can be told.
const MAX_ANSWER_BYTES: usize = 7 * 1024 * 1024;

/// One piece of work as the process sees it.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) event: Bytes,
    pub(crate) deadline_ms: i64,
    pub(crate) function_arn: String,
}

/// What the process says through its Runtime API.
#[derive(Debug)]
pub(crate) enum Said {
    /// It asks for work: it is initialised, or done with the last invocation.
    Polled,
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
    /// What `AWS_LAMBDA_RUNTIME_API` is set to.
    pub(crate) address: String,
    /// Where work for the process goes.
    pub(crate) work: mpsc::Sender<Invocation>,
    pub(crate) said: mpsc::UnboundedReceiver<Said>,
    /// Dropped with the process; the listener closes.
    _open: tokio_util::sync::DropGuard,
}

#[derive(Debug)]
struct Desk {
    work: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    said: mpsc::UnboundedSender<Said>,
    /// The invocation that the process holds: an answer to another one is refused.
    held: Mutex<Option<String>>,
}

impl RuntimeApi {
    pub(crate) async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (work, queue) = mpsc::channel(1);
        let (say, said) = mpsc::unbounded_channel();
        let desk = Desk { work: tokio::sync::Mutex::new(queue), said: say, held: Mutex::new(None) };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(MAX_ANSWER_BYTES))
            .with_state(Arc::new(desk));
        let closed = CancellationToken::new();
        let stop = closed.clone();
        tokio::spawn(async move {
            let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
            let server = axum::serve(listener, router);
            tokio::select! {
                _ = server => {}
                () = stop.cancelled_owned() => {}
            }
        });
        Ok(Self { address, work, said, _open: closed.drop_guard() })
    }
}

async fn next(State(desk): State<Arc<Desk>>) -> Response {
    let mut work = desk.work.lock().await;
    if desk.said.send(Said::Polled).is_err() {
        return StatusCode::GONE.into_response();
    }
    let Some(invocation) = work.recv().await else { return StatusCode::GONE.into_response() };
    *desk.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(invocation.request_id.clone());
    let headers = [
        ("lambda-runtime-aws-request-id", invocation.request_id),
        ("lambda-runtime-deadline-ms", invocation.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", invocation.function_arn),
        ("lambda-runtime-trace-id", ids::trace_id()),
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
    ];
    (headers, Body::from(invocation.event)).into_response()
}

impl Desk {
    /// Passes an answer on if it belongs to the invocation that the process holds.
    fn accept(&self, request_id: &str, said: Said) -> Response {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_deref() != Some(request_id) {
            let body = r#"{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}"#;
            return (StatusCode::BAD_REQUEST, body).into_response();
        }
        *held = None;
        self.pass(said)
    }

    fn pass(&self, said: Said) -> Response {
        match self.said.send(said) {
            Ok(()) => (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response(),
            Err(_) => StatusCode::GONE.into_response(),
        }
    }
}

async fn response(State(desk): State<Arc<Desk>>, Path(id): Path<String>, body: Bytes) -> Response {
    desk.accept(&id, Said::Response { request_id: id.clone(), body })
}

async fn error(State(desk): State<Arc<Desk>>, Path(id): Path<String>, body: Bytes) -> Response {
    desk.accept(&id, Said::Error { request_id: id.clone(), body })
}

async fn init_error(State(desk): State<Arc<Desk>>, body: Bytes) -> Response {
    desk.pass(Said::InitError { body })
}
