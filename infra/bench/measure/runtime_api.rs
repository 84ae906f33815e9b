//! Lambda's Runtime API of 2018-06-01 for one process under measurement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode};
use nsl_client::clock;
use tokio::sync::{Mutex, mpsc};

use crate::serve::{Handler, Server};

/// How long a process may think about an event: none of the measured ones takes a second.
const EVENT_LIMIT: Duration = Duration::from_secs(60);

/// What the process said, and when.
#[derive(Debug)]
enum Said {
    Polled(Instant),
    Answered(Instant, Bytes),
    Failed(Bytes),
}

#[derive(Debug)]
struct Desk {
    work: Mutex<mpsc::Receiver<Bytes>>,
    said: mpsc::UnboundedSender<Said>,
}

/// The API of one process.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    server: Server,
    work: mpsc::Sender<Bytes>,
    said: mpsc::UnboundedReceiver<Said>,
}

/// An answered event.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) took: Duration,
    pub(crate) body: Bytes,
}

impl RuntimeApi {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let (work, queue) = mpsc::channel(1);
        let (say, said) = mpsc::unbounded_channel();
        let desk = Desk { work: Mutex::new(queue), said: say };
        Ok(Self { server: Server::start(Arc::new(desk), None).await?, work, said })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` is set to.
    pub(crate) fn address(&self) -> String {
        self.server.address.to_string()
    }

    /// Waits until the process asks for work.
    pub(crate) async fn polled(&mut self) -> anyhow::Result<Instant> {
        match self.hear().await? {
            Said::Polled(at) => Ok(at),
            Said::Answered(..) => bail!("the function answered what it was not asked"),
            Said::Failed(body) => bail!("the function failed: {}", String::from_utf8_lossy(&body)),
        }
    }

    /// Hands `event` to the process, which has asked for work, and waits for the answer and until it asks again.
    pub(crate) async fn invoke(&mut self, event: Bytes) -> anyhow::Result<Answered> {
        let began = Instant::now();
        self.work.send(event).await.context("the Runtime API has ended")?;
        let answered = match self.hear().await? {
            Said::Answered(at, body) => Answered { took: at.duration_since(began), body },
            Said::Polled(_) => bail!("the function asked for more work without an answer"),
            Said::Failed(body) => bail!("the function failed: {}", String::from_utf8_lossy(&body)),
        };
        self.polled().await?;
        Ok(answered)
    }

    async fn hear(&mut self) -> anyhow::Result<Said> {
        let heard = tokio::time::timeout(EVENT_LIMIT, self.said.recv()).await;
        heard.context("the function says nothing")?.context("the Runtime API has ended")
    }
}

impl Handler for Desk {
    async fn answer(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if request.method() == Method::GET {
            let mut work = self.work.lock().await;
            let _ = self.said.send(Said::Polled(Instant::now()));
            return match work.recv().await {
                Some(event) => next(event),
                None => status(StatusCode::GONE),
            };
        }
        let answered = path.ends_with("/response");
        let body = request.into_body();
        let said = if answered { Said::Answered(Instant::now(), body) } else { Said::Failed(body) };
        let _ = self.said.send(said);
        status(StatusCode::ACCEPTED)
    }
}

fn next(event: Bytes) -> Response<Full<Bytes>> {
    let deadline_ms = clock::now().plus_ms(EVENT_LIMIT.as_millis() as i64).ms();
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
