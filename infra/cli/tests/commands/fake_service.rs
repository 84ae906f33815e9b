//! A WebSocket server in place of the service, controlled frame by frame, and the command that runs against it.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// Longest wait of a test.
const LIMIT: Duration = Duration::from_secs(20);

/// The API key.
pub(crate) const KEY: &str = "nehonix@0000.nsl";

/// Waits for `future` with a time limit.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("timed out waiting for {what}"),
    }
}

/// The listening server.
pub(crate) struct Service(TcpListener);

impl Service {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.0.local_addr().unwrap())
    }

    /// The next connection, after its handshake.
    pub(crate) async fn accept(&self) -> Peer {
        let (stream, _) = soon("a connection", self.0.accept()).await.unwrap();
        Peer(tokio_tungstenite::accept_async(stream).await.unwrap())
    }

    /// The next connection, authenticated.
    pub(crate) async fn accept_authenticated(&self) -> Peer {
        let mut peer = self.accept().await;
        let auth = peer.receive().await;
        assert_eq!(auth, json!({"type": "auth", "data": {"appId": "demo", "apiKey": KEY}}));
        peer.send(json!({"type": "auth_success", "payload": {"appId": "demo", "userId": "demo-user"}})).await;
        peer
    }
}

/// An error frame.
pub(crate) fn rejection(code: &str, retryable: bool) -> Value {
    json!({"type": "error", "payload": {"code": code, "message": "no", "retryable": retryable}})
}

/// The service's side of a connection.
pub(crate) struct Peer(WebSocketStream<TcpStream>);

impl Peer {
    /// The next frame from the command.
    pub(crate) async fn receive(&mut self) -> Value {
        self.receive_or_close().await.expect("the command closed")
    }

    /// The next frame from the command; `None` if it closed with a close frame.
    pub(crate) async fn receive_or_close(&mut self) -> Option<Value> {
        loop {
            match soon("a frame", self.0.next()).await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_))) => return None,
                Some(Ok(_)) => {}
                other => panic!("no frame and no close frame: {other:?}"),
            }
        }
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    pub(crate) async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        self.0.close(Some(frame)).await.unwrap();
    }
}

/// A running `nsl`, which ends with its test.
pub(crate) struct Nsl {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Nsl {
    /// Starts the command with only the key in its environment.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nsl"))
            .args(arguments)
            .env_clear()
            .env("NSL_API_KEY", KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, stdout, stderr }
    }

    /// The next line of stdout.
    pub(crate) async fn line(&mut self) -> String {
        soon("a line of stdout", self.stdout.next_line()).await.unwrap().expect("stdout ended")
    }

    /// Waits for a line on stderr that contains `part`.
    pub(crate) async fn message_with(&mut self, part: &str) -> String {
        loop {
            let line = soon(part, self.stderr.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("stderr ended without {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Interrupts the command, as Ctrl-C does.
    pub(crate) async fn interrupt(&self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    }

    /// Waits for the end; true if it was a success.
    pub(crate) async fn succeeds(&mut self) -> bool {
        soon("the end", self.child.wait()).await.unwrap().success()
    }
}
