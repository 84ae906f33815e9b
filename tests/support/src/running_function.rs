//! A function's binary behind Lambda's Runtime API: its responses, and every byte that it prints.

use std::io::{BufRead, BufReader, PipeWriter, Write, pipe};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::{Method, Request, Response};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use crate::server::TestServer;

/// How long Lambda lets an invocation take, as the template sets it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The path of the Runtime API at which a function asks for its next event.
const NEXT: &str = "/2018-06-01/runtime/invocation/next";

/// An X-Ray header as Lambda sends it: it is in every log line.
const TRACE_ID: &str =
    "Root=1-69270b4d-5a1c0f3b7d2e4c6a8b9d0e1f;Parent=4c6a8b9d0e1f2a3b;Sampled=0;Lineage=1:1a2b3c4d:0";

/// Separates in the pipe what the function printed from what it prints later.
const MARK: &str = "-- asked for the next event --";

/// A running function; dropping it stops it.
#[derive(Debug)]
pub struct RunningFunction {
    _process: Child,
    _server: TestServer,
    state: Arc<State>,
    responses: mpsc::UnboundedReceiver<Value>,
    printed: mpsc::UnboundedReceiver<String>,
    pipe: PipeWriter,
    asked: watch::Receiver<usize>,
}

/// The function's response to an event, or the error that it reported, and what it printed meanwhile.
#[derive(Debug)]
pub struct Invoked {
    pub response: Value,
    pub printed: String,
}

#[derive(Debug, Clone)]
struct Event {
    number: usize,
    body: String,
    deadline_ms: i64,
}

/// The Runtime API.
#[derive(Debug)]
struct State {
    events: watch::Sender<Option<Event>>,
    responses: mpsc::UnboundedSender<Value>,
    /// How often the function asked for an event.
    asked: watch::Sender<usize>,
    given: Mutex<usize>,
}

impl RunningFunction {
    /// Starts `program` with `variables` and waits until it asks for an event.
    pub(crate) async fn start(program: &str, variables: Vec<(String, String)>) -> Self {
        let (send_response, responses) = mpsc::unbounded_channel();
        let (asked, is_asked) = watch::channel(0);
        let state = Arc::new(State {
            events: watch::Sender::new(None),
            responses: send_response,
            asked,
            given: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let server = TestServer::start(move |request| {
            let state = Arc::clone(&shared);
            async move { Some(state.respond(&request).await) }
        })
        .await;
        let (reader, pipe) = pipe().expect("a pipe");
        let mut command = Command::new(program);
        command.env_clear().envs(variables).env("AWS_LAMBDA_RUNTIME_API", server.address.to_string());
        for (name, value) in [
            ("AWS_LAMBDA_FUNCTION_NAME", "function"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
        ] {
            command.env(name, value);
        }
        let output = || Stdio::from(pipe.try_clone().expect("a pipe"));
        command.stdin(Stdio::null()).stdout(output()).stderr(output()).kill_on_drop(true);
        let process = command.spawn().expect("the function starts");
        let (send_line, printed) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(reader).lines().map_while(Result::ok);
            lines.map(|line| send_line.send(line)).find(Result::is_err)
        });
        let mut function =
            Self { _process: process, _server: server, state, responses, printed, pipe, asked: is_asked };
        function.wait_until_idle().await;
        function
    }

    /// The response to `event`, and everything that the function prints until it asks for another.
    pub async fn invoke(&mut self, event: &Value) -> Invoked {
        self.invoke_within(TIMEOUT, event).await
    }

    /// The same for an invocation that ends after `timeout`.
    pub async fn invoke_within(&mut self, timeout: Duration, event: &Value) -> Invoked {
        let number = { *self.state.given.lock() } + 1;
        let timeout_ms = i64::try_from(timeout.as_millis()).expect("a short time");
        let deadline_ms = nsl_aws::clock::now().plus_ms(timeout_ms).ms();
        self.state.events.send_replace(Some(Event { number, body: event.to_string(), deadline_ms }));
        let response = self.responses.recv().await.expect("the function responds");
        Invoked { response, printed: self.wait_until_idle().await }
    }

    /// Waits until the function asks for an event; what it has printed since the last wait.
    async fn wait_until_idle(&mut self) -> String {
        let given = *self.state.given.lock();
        self.asked.wait_for(|asked| *asked > given).await.expect("the Runtime API runs");
        writeln!(self.pipe, "{MARK}").expect("the pipe is open");
        let mut printed = String::new();
        while let Some(line) = self.printed.recv().await.filter(|line| line != MARK) {
            printed.push_str(&line);
            printed.push('\n');
        }
        printed
    }
}

impl State {
    async fn respond(&self, request: &Request<Bytes>) -> Response<Body> {
        if request.method() == Method::GET && request.uri().path() == NEXT {
            return self.next().await;
        }
        let response = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
        self.responses.send(response).expect("the test waits");
        Response::builder().status(202).body(Body::from("{}")).expect("a valid response")
    }

    async fn next(&self) -> Response<Body> {
        let given = *self.given.lock();
        self.asked.send_modify(|asked| *asked = given + 1);
        let mut events = self.events.subscribe();
        let is_new = |event: &Option<Event>| event.as_ref().is_some_and(|event| event.number > given);
        let event = events.wait_for(is_new).await.expect("the Runtime API runs").clone();
        let Event { number, body, deadline_ms } = event.expect("an event");
        *self.given.lock() = number;
        Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", format!("8f5a3c1e-0b7d-4e2a-9c6f-{number:012}"))
            .header("lambda-runtime-deadline-ms", deadline_ms)
            .header("lambda-runtime-trace-id", TRACE_ID)
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:function",
            )
            .body(Body::from(body))
            .expect("a valid response")
    }
}
