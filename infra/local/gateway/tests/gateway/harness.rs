//! A gateway process for one test, and WebSocket clients.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A test that waits longer than this fails.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A flag for the harness only: start the demo agent too.
pub(crate) const DEMO: &str = "--demo";

/// A stub of the `nsl` tool, which records how it was called.
const TOOL: &str = r#"#!/bin/sh
echo "$0 $*" >> "$(dirname "$0")/tool-calls"
case "$1" in
  app) echo '{"appId":"demo","userId":"owner","apiKey":"full-key","viewKey":"view-key","more":1}' ;;
  agent) exec sleep 600 ;;
esac
"#;

/// A directory that is removed at the end of the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nsl-gateway-test-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join("bin")).unwrap();
        let examples = Path::new(env!("CARGO_BIN_EXE_nsl-gateway")).with_file_name("examples");
        let function = examples.join("echo_function");
        assert!(function.exists(), "{} is missing: run cargo test without --test", function.display());
        symlink(function, path.join("bin/echo_function")).unwrap();
        let scratch = Self(path);
        scratch.script("nsl", TOOL);
        scratch
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Puts a script beside the functions.
    pub(crate) fn script(&self, name: &str, text: &str) {
        let path = self.0.join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A running gateway, killed at the end of the test.
pub(crate) struct Gateway {
    pub(crate) child: Child,
    pub(crate) ready: Value,
    pub(crate) printed: Vec<String>,
    pub(crate) scratch: Arc<Scratch>,
}

pub(crate) fn fixture() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/template.yaml")).unwrap()
}

/// The command that starts the gateway for `scratch`; data in memory unless `flags` say otherwise.
pub(crate) fn command(scratch: &Scratch, template: &str, flags: &[&str]) -> Command {
    let path = scratch.path("template.yaml");
    fs::write(&path, template).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsl-gateway"));
    command
        .current_dir(scratch.path("."))
        .env("TMPDIR", scratch.path("."))
        .args(["--ws", "127.0.0.1:0", "--functions"])
        .arg(scratch.path("bin"))
        .arg("--template")
        .arg(path)
        .arg("--ready-file")
        .arg(scratch.path("ready.json"))
        .arg("--parameter")
        .arg(format!("RecordFile={}", scratch.path("record").display()))
        .args(flags.iter().filter(|flag| **flag != DEMO));
    if !flags.contains(&"--http") {
        command.args(["--http", "127.0.0.1:0"]);
    }
    if !flags.contains(&"--data") {
        command.arg("--memory");
    }
    if !flags.contains(&DEMO) {
        command.arg("--no-demo");
    }
    command.stdin(Stdio::null()).env_remove("RUST_BACKTRACE").env_remove("RUST_LOG");
    command
}

impl Gateway {
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_with(&fixture(), flags)
    }

    pub(crate) fn start_with(template: &str, flags: &[&str]) -> Self {
        Self::start_in(Arc::new(Scratch::new()), template, flags)
    }

    /// A gateway that keeps its data in its scratch directory.
    pub(crate) fn start_persistent(template: &str, flags: &[&str]) -> Self {
        Self::start_with(template, &[flags, &["--data", "data"]].concat())
    }

    /// Starts another gateway with the data and the recorded events of this one, which has ended.
    pub(crate) fn start_again(&self, template: &str) -> Self {
        Self::start_in(Arc::clone(&self.scratch), template, &["--data", "data"])
    }

    pub(crate) fn start_in(scratch: Arc<Scratch>, template: &str, flags: &[&str]) -> Self {
        let mut command = command(&scratch, template, flags);
        let stderr = fs::File::create(scratch.path("stderr")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                drop(send.send(line));
            }
        });
        let mut printed = Vec::new();
        while printed.last().is_none_or(|line| line != "ready") {
            let line = lines.recv_timeout(TIMEOUT);
            let stderr = || fs::read_to_string(scratch.path("stderr")).unwrap_or_default();
            printed.push(line.unwrap_or_else(|_| panic!("the gateway is not ready: {}", stderr())));
        }
        let ready = serde_json::from_slice(&fs::read(scratch.path("ready.json")).unwrap()).unwrap();
        Self { child, ready, printed, scratch }
    }

    pub(crate) fn address(&self, name: &str) -> String {
        self.ready[name].as_str().unwrap().to_owned()
    }

    pub(crate) async fn connect(&self) -> Client {
        self.connect_with("", &[]).await.unwrap().0
    }

    /// Connects with a path and query appended to the address, and further headers.
    pub(crate) async fn connect_with(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Client, Response<Option<Vec<u8>>>), Error> {
        let mut request = format!("{}{path}", self.address("ws")).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
        }
        let (socket, response) = connect_async(request).await?;
        Ok((Client { socket }, response))
    }

    /// Status and body of a rejected handshake.
    pub(crate) async fn rejection(&self, path: &str) -> (u16, String) {
        match self.connect_with(path, &[]).await {
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                (response.status().as_u16(), String::from_utf8(body).unwrap())
            }
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("the handshake was accepted"),
        }
    }

    /// Waits for an event that functions recorded and that matches.
    pub(crate) async fn recorded(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually("an event is recorded", || self.all_recorded().into_iter().find(|event| wanted(event)))
            .await
    }

    pub(crate) fn all_recorded(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.scratch.path("record")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The header of a request that is signed with the gateway's access key.
    pub(crate) fn authorization(&self) -> String {
        let key = self.address("accessKeyId");
        format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/any/aws4_request, SignedHeaders=host, Signature=0"
        )
    }

    /// Calls an operation of the gateway's DynamoDB.
    pub(crate) async fn dynamodb(&self, operation: &str, body: &Value) -> Value {
        let request = reqwest::Client::new().post(self.address("dynamodb"));
        let request = request.header("content-type", "application/x-amz-json-1.0");
        let request = request.header("x-amz-target", format!("DynamoDB_20120810.{operation}"));
        let request =
            request.header("authorization", self.authorization()).header("x-amz-date", "20260101T000000Z");
        request.body(body.to_string()).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Stops the gateway as Ctrl-C does.
    pub(crate) async fn stop(&mut self) {
        self.signal(rustix::process::Signal::INT);
        assert!(self.exit().await.success());
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.scratch.path("stderr")).unwrap_or_default()
    }

    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("the gateway ends", || child.try_wait().unwrap()).await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("{}", self.stderr());
        }
    }
}

/// Waits until `check` returns a value.
pub(crate) async fn eventually<T>(claim: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + TIMEOUT;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < end, "not seen: {claim}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The processes that a gateway has started.
pub(crate) fn children(gateway: &Gateway) -> Vec<u32> {
    let pid = gateway.child.id();
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap().filter_map(Result::ok) {
        let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(text.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    found
}

/// Whether a process with this id exists and is not a zombie.
pub(crate) fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// A WebSocket client.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    /// The next message, without pings and pongs.
    pub(crate) async fn next(&mut self) -> Message {
        loop {
            let next = tokio::time::timeout(TIMEOUT, self.socket.next()).await.expect("a message arrives");
            let message = next.expect("the connection is open").expect("the connection has no error");
            if !matches!(message, Message::Ping(_) | Message::Pong(_)) {
                return message;
            }
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Message::Text(text) => text.as_str().to_owned(),
            other => panic!("not text: {other:?}"),
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
    }

    /// Sends a frame and returns the next message.
    pub(crate) async fn ask(&mut self, text: impl Into<String>) -> Value {
        self.send(text).await;
        self.json().await
    }

    /// The code with which the gateway closes.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.map_or(1005, |frame| frame.code.into());
            }
        }
    }

    pub(crate) async fn connection_id(&mut self) -> String {
        let event = self.ask(r#"{"type":"ask"}"#).await;
        event["requestContext"]["connectionId"].as_str().unwrap().to_owned()
    }
}
