//! Lambda's Runtime API of 2018-06-01 for one measured process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode};
use nsl_client::clock;
use tokio::sync::{Mutex, mpsc};

use crate::serve::{Handler, Server};

/// Longest processing of an event. No measured one takes a second.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);

/// A request of the process, and when it arrived.
#[derive(Debug)]
enum RuntimeRequest {
    /// It polls for the next event.
    Next(Instant),
    Response(Instant, Bytes),
    Error(Bytes),
}

#[derive(Debug)]
struct Endpoint {
    events: Mutex<mpsc::Receiver<Bytes>>,
    requests: mpsc::UnboundedSender<RuntimeRequest>,
}

/// The API of one process.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    server: Server,
    events: mpsc::Sender<Bytes>,
    requests: mpsc::UnboundedReceiver<RuntimeRequest>,
}

/// The response to an event.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) took: Duration,
    pub(crate) body: Bytes,
}

impl RuntimeApi {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let (events, queue) = mpsc::channel(1);
        let (sender, requests) = mpsc::unbounded_channel();
        let endpoint = Endpoint { events: Mutex::new(queue), requests: sender };
        Ok(Self { server: Server::start(Arc::new(endpoint), None).await?, events, requests })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> String {
        self.server.address.to_string()
    }

    /// Waits until the process polls.
    pub(crate) async fn polled(&mut self) -> anyhow::Result<Instant> {
        match self.next_request().await? {
            RuntimeRequest::Next(at) => Ok(at),
            RuntimeRequest::Response(..) => bail!("the function sent a response without an event"),
            RuntimeRequest::Error(body) => bail!("the function failed: {}", String::from_utf8_lossy(&body)),
        }
    }

    /// Sends `event` to the process, which has polled, and waits for its response and its next poll.
    pub(crate) async fn invoke(&mut self, event: Bytes) -> anyhow::Result<Invocation> {
        let began = Instant::now();
        self.events.send(event).await.context("the Runtime API has ended")?;
        let invocation = match self.next_request().await? {
            RuntimeRequest::Response(at, body) => Invocation { took: at.duration_since(began), body },
            RuntimeRequest::Next(_) => bail!("the function polled without a response"),
            RuntimeRequest::Error(body) => bail!("the function failed: {}", String::from_utf8_lossy(&body)),
        };
        self.polled().await?;
        Ok(invocation)
    }

    async fn next_request(&mut self) -> anyhow::Result<RuntimeRequest> {
        let request = tokio::time::timeout(EVENT_TIMEOUT, self.requests.recv()).await;
        request.context("the function does not respond")?.context("the Runtime API has ended")
    }
}

impl Handler for Endpoint {
    async fn handle(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if request.method() == Method::GET {
            let mut events = self.events.lock().await;
            let _ = self.requests.send(RuntimeRequest::Next(Instant::now()));
            return match events.recv().await {
                Some(event) => next(event),
                None => status(StatusCode::GONE),
            };
        }
        let is_response = path.ends_with("/response");
        let body = request.into_body();
        let request = match is_response {
            true => RuntimeRequest::Response(Instant::now(), body),
            false => RuntimeRequest::Error(body),
        };
        let _ = self.requests.send(request);
        status(StatusCode::ACCEPTED)
    }
}

fn next(event: Bytes) -> Response<Full<Bytes>> {
    let deadline_ms = clock::now().plus_ms(EVENT_TIMEOUT.as_millis() as i64).ms();
    let mut response = Response::new(Full::new(event));
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:1:function:x".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-6921b2cd-0123456789abcdef01234567;Sampled=0".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn status(code: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = code;
    response
}
