//! A WebSocket client that checks every received frame against the general promises of the protocol.
//! Frames are kept until a test takes them, so a test may take them in any order.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{App, DEADLINE, Gateway};

/// Largest frame of the service.
const FRAME_BYTES_MAX: usize = 30 * 1024;
/// The codes of a close without a code, and of an end without a close.
const NO_CODE: u16 = 1005;
const NO_CLOSE: u16 = 1006;

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Frames that were not taken yet, oldest first.
    inbox: Vec<Value>,
    closed: Option<u16>,
}

impl Client {
    /// Opens an unauthenticated connection.
    pub(crate) async fn open(gateway: &Gateway) -> Self {
        Self::open_with(gateway, &[]).await.unwrap_or_else(|cause| panic!("connecting: {cause}"))
    }

    /// Opens a connection with these headers in the handshake.
    pub(crate) async fn open_with(gateway: &Gateway, headers: &[(&str, &str)]) -> Result<Self, Box<Error>> {
        Self::open_at(&gateway.ready().ws, headers).await
    }

    /// Opens a connection at an address that may have a query.
    pub(crate) async fn open_at(address: &str, headers: &[(&str, &str)]) -> Result<Self, Box<Error>> {
        let mut request = address.into_client_request()?;
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a header name");
            request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header value"));
        }
        let (socket, _) = connect_async(request).await?;
        Ok(Self { socket, inbox: Vec::new(), closed: None })
    }

    /// Opens a connection and authenticates it with the key of `app`.
    pub(crate) async fn authenticated(gateway: &Gateway, app: &App) -> Self {
        let mut client = Self::open(gateway).await;
        client.send(&auth_frame(app)).await;
        client.next("auth_success").await;
        client
    }

    /// Opens a connection as the library, or with an origin as a page, and authenticates it without a secret.
    pub(crate) async fn legacy(gateway: &Gateway, app: &App, origin: Option<&str>) -> Self {
        let headers: Vec<_> = origin.map(|origin| ("origin", origin)).into_iter().collect();
        let mut client = Self::open_with(gateway, &headers).await.expect("it connects");
        client.send(&legacy_frame("auth", app)).await;
        client.next("auth_success").await;
        client
    }

    /// Opens an authenticated connection and subscribes it.
    pub(crate) async fn viewer(gateway: &Gateway, app: &App) -> Self {
        let mut client = Self::authenticated(gateway, app).await;
        client.subscribe(app).await;
        client
    }

    /// Subscribes and returns the payload of `subscribed`.
    pub(crate) async fn subscribe(&mut self, app: &App) -> Value {
        self.send(&json!({"type": "subscribe", "data": {"appId": app.app_id}})).await;
        self.next("subscribed").await["payload"].take()
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.send_message(Message::text(frame.to_string())).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.unwrap_or_else(|cause| panic!("sending a frame: {cause}"));
    }

    /// Sends a message; returns false if the service has closed the connection.
    pub(crate) async fn try_send_message(&mut self, message: Message) -> bool {
        self.socket.send(message).await.is_ok()
    }

    /// The next frame of this type.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        self.next_where(kind, |frame| frame["type"] == kind).await
    }

    /// The payload of the next `metrics` frame whose report has this `n`.
    pub(crate) async fn next_report(&mut self, n: u64) -> Value {
        let wanted = |frame: &Value| frame["type"] == "metrics" && frame["payload"]["metrics"]["n"] == n;
        self.next_where(&format!("report {n}"), wanted).await["payload"].take()
    }

    /// Publishes one report and returns the acknowledgement's payload.
    pub(crate) async fn publish(&mut self, app: &App, n: u64) -> Value {
        self.publish_as(&format!("report-{n}"), report(app, json!({"metrics": {"n": n}}))).await
    }

    /// Publishes one report or a batch and returns the acknowledgement's payload.
    pub(crate) async fn publish_as(&mut self, id: &str, data: Value) -> Value {
        self.send(&json!({"type": "metrics", "id": id, "data": data})).await;
        self.ack(id).await
    }

    /// Sends one report and waits until it is acknowledged or rejected.
    pub(crate) async fn publish_or_rejected(&mut self, app: &App) {
        self.send(&metrics_frame(app, "any", json!({"n": 0}))).await;
        self.next_where("a verdict", |frame| frame["type"] == "ack" || frame["type"] == "error").await;
    }

    /// The payload of the acknowledgement of the frame with this id.
    pub(crate) async fn ack(&mut self, id: &str) -> Value {
        let wanted = |frame: &Value| frame["type"] == "ack" && frame["payload"]["id"] == id;
        self.next_where(&format!("ack of {id}"), wanted).await["payload"].take()
    }

    /// Sends a frame and returns the payload of the next `error`.
    pub(crate) async fn rejection(&mut self, frame: &Value) -> Value {
        self.send(frame).await;
        self.error().await
    }

    /// The payload of the next `error`; asserts its shape.
    pub(crate) async fn error(&mut self) -> Value {
        let payload = self.next("error").await["payload"].take();
        let is_text = |field: &str| payload[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_text("code") && is_text("message"), "an error names its code and says why: {payload}");
        assert!(payload["retryable"].is_boolean(), "an error says whether to try again: {payload}");
        payload
    }

    /// Waits for the reply to a `ping`, which is sent after all other frames.
    pub(crate) async fn round_trip(&mut self) {
        self.send(&json!({"type": "ping"})).await;
        self.next("pong").await;
    }

    /// Sends a `ping` and waits for the reply or the close.
    pub(crate) async fn try_round_trip(&mut self) {
        if self.try_send_message(Message::text(r#"{"type":"ping"}"#)).await {
            while self.remaining("pong") == 0 && self.is_open() {
                let received = timeout(DEADLINE, self.receive()).await;
                assert!(received.is_ok(), "no pong within {DEADLINE:?}; {}", self.state());
            }
            self.inbox.retain(|frame| frame["type"] != "pong");
        } else {
            self.close_code().await;
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Waits for the close and returns its code.
    pub(crate) async fn close_code(&mut self) -> u16 {
        let until = Instant::now() + DEADLINE;
        while self.closed.is_none() {
            let received = timeout_at(until, self.receive()).await;
            assert!(received.is_ok(), "no close within {DEADLINE:?}; {}", self.state());
        }
        self.closed.expect("the loop ends with a code")
    }

    /// The number of received frames of this type that were not taken.
    pub(crate) fn remaining(&self, kind: &str) -> usize {
        self.inbox.iter().filter(|frame| frame["type"] == kind).count()
    }

    /// The next frame of one of these types; `None` after `limit` or the close.
    pub(crate) async fn reply_within(&mut self, kinds: &[&str], limit: Duration) -> Option<Value> {
        self.next_within(limit, |frame| kinds.iter().any(|kind| frame["type"] == *kind)).await
    }

    /// The next frame that fits; `None` after `limit` or the close.
    pub(crate) async fn next_within(
        &mut self,
        limit: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        let until = Instant::now() + limit;
        loop {
            if let Some(index) = self.inbox.iter().position(&fits) {
                return Some(self.inbox.remove(index));
            }
            if self.closed.is_some() || timeout_at(until, self.receive()).await.is_err() {
                return None;
            }
        }
    }

    /// Waits for a frame that fits and takes the oldest.
    pub(crate) async fn next_where(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = self.next_within(DEADLINE, fits).await;
        found.unwrap_or_else(|| panic!("no {what} within {DEADLINE:?}; {}", self.state()))
    }

    /// Drops the connection without a close frame or a TCP FIN.
    pub(crate) fn vanish(self) {
        if let MaybeTlsStream::Plain(stream) = self.socket.get_ref() {
            stream.set_zero_linger().expect("a socket can linger for no time");
        }
    }

    async fn receive(&mut self) {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => self.inbox.push(checked_frame(text.as_str())),
            Some(Ok(Message::Close(frame))) => {
                self.closed = Some(frame.map_or(NO_CODE, |frame| frame.code.into()))
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(other)) => panic!("the service sent no text: {other:?}"),
            Some(Err(_)) | None => self.closed = Some(self.closed.unwrap_or(NO_CLOSE)),
        }
    }

    fn state(&self) -> String {
        let mut state = format!("closed: {:?}, remaining frames: {}", self.closed, self.inbox.len());
        for frame in self.inbox.iter().take(5) {
            let _ = write!(state, "\n  {frame}");
        }
        state
    }
}

pub(crate) fn auth_frame(app: &App) -> Value {
    json!({"type": "auth", "data": {"appId": app.app_id, "apiKey": app.api_key}})
}

/// A report without a timestamp, to be acknowledged with `id`.
pub(crate) fn metrics_frame(app: &App, id: &str, metrics: Value) -> Value {
    json!({"type": "metrics", "id": id, "data": report(app, json!({ "metrics": metrics }))})
}

/// The data of a report of `app` with these fields.
pub(crate) fn report(app: &App, mut fields: Value) -> Value {
    fields["appId"] = json!(app.app_id);
    fields
}

/// A frame of the published library or its dashboard, which identify themselves by user and application.
pub(crate) fn legacy_frame(kind: &str, app: &App) -> Value {
    json!({"type": kind, "data": {"userId": app.user_id, "appId": app.app_id}})
}

/// Asserts that a frame is a JSON object with a type or an error of API Gateway: an empty one crashes the library.
fn checked_frame(text: &str) -> Value {
    assert!(text.len() <= FRAME_BYTES_MAX, "a frame of {} bytes: {text:.200}", text.len());
    let frame: Value = serde_json::from_str(text).unwrap_or_else(|cause| panic!("{cause} in {text:?}"));
    let of_transport = frame["message"].is_string() && frame["connectionId"].is_string();
    assert!(of_transport || frame["type"].is_string(), "a frame without a type: {text}");
    frame
}

/// The shared gateway and a new application with the legacy flag.
pub(crate) async fn shared_legacy_app() -> (&'static Gateway, App) {
    let gateway = Gateway::shared();
    (gateway, App::create_legacy(gateway).await)
}

/// The shared gateway and a new application on it.
pub(crate) async fn shared_app() -> (&'static Gateway, App) {
    let gateway = Gateway::shared();
    (gateway, App::create(gateway).await)
}

/// A new application on the shared gateway, a viewer of it and a publisher.
pub(crate) async fn app_viewer_and_publisher() -> (App, Client, Client) {
    let (gateway, app) = shared_app().await;
    let viewer = Client::viewer(gateway, &app).await;
    let publisher = Client::authenticated(gateway, &app).await;
    (app, viewer, publisher)
}
