//! A small service that can be configured to misbehave.

use futures_util::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// The key that the service accepts.
pub(crate) const KEY: &str = "nehonix@0000.nsl";

/// How the service misbehaves. 0 means never; `..._every` counts deliveries, except that rejections and `..._after` count
/// reports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behaviour {
    pub(crate) rejects_key: bool,
    pub(crate) lose_every: u64,
    pub(crate) lose_after: Option<u64>,
    pub(crate) double_every: u64,
    pub(crate) delay_every: u64,
    pub(crate) delay: Duration,
    pub(crate) misdeliver_every: u64,
    pub(crate) reject_every: u64,
    pub(crate) stop_after: Option<u64>,
    pub(crate) close_after: Option<u64>,
}

/// The running service.
#[derive(Debug)]
pub(crate) struct Service(String);

#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    subscribers: Mutex<Vec<UnboundedSender<Message>>>,
    reports: AtomicU64,
    deliveries: AtomicU64,
}

impl Service {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            behaviour,
            subscribers: Mutex::default(),
            reports: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&state), stream));
            }
        });
        Self(url)
    }

    pub(crate) fn url(&self) -> String {
        self.0.clone()
    }
}

async fn serve(state: Arc<State>, stream: TcpStream) {
    let rejects_key = state.behaviour.rejects_key;
    #[expect(clippy::result_large_err, reason = "required by the handshake's callback")]
    let check_key = move |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let is_right = request.headers().get("x-api-key").is_some_and(|key| key == KEY);
        if is_right && !rejects_key {
            return Ok(response);
        }
        let mut rejection = ErrorResponse::new(None);
        *rejection.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::UNAUTHORIZED;
        Err(rejection)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, check_key).await else { return };
    let (mut sink, mut frames) = socket.split();
    let (sender, mut receiver) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(message) = receiver.recv().await {
            if sink.send(message).await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(message)) = frames.next().await {
        if let Message::Text(text) = message {
            state.handle(&serde_json::from_str(&text).unwrap(), &sender);
        }
    }
}

impl State {
    fn handle(&self, frame: &Value, sender: &UnboundedSender<Message>) {
        match frame["type"].as_str() {
            Some("subscribe") => {
                self.subscribers.lock().push(sender.clone());
                let payload = json!({"appId": frame["data"]["appId"], "reports": [], "complete": true});
                send_frame(sender, &json!({"type": "subscribed", "payload": payload}));
            }
            Some("metrics") => self.publish(frame, sender),
            _ => {}
        }
    }

    fn publish(&self, frame: &Value, sender: &UnboundedSender<Message>) {
        let reports = frame["data"].as_array().cloned().unwrap_or_else(|| vec![frame["data"].clone()]);
        let mut rejected = Vec::new();
        for (index, report) in reports.iter().enumerate() {
            let number = 1 + self.reports.fetch_add(1, Ordering::Relaxed);
            if self.behaviour.stop_after.is_some_and(|after| number > after) {
                return;
            }
            if self.behaviour.close_after.is_some_and(|after| number > after) {
                let close = CloseFrame { code: 1001.into(), reason: "Going away".into() };
                drop(sender.send(Message::Close(Some(close))));
                return;
            }
            if falls_on(number, self.behaviour.reject_every) {
                rejected
                    .push(json!({"index": index, "code": "unavailable", "message": "m", "retryable": true}));
                continue;
            }
            self.broadcast(report, number);
        }
        let payload =
            json!({"id": frame["id"], "accepted": reports.len() - rejected.len(), "rejected": rejected});
        send_frame(sender, &json!({"type": "ack", "payload": payload}));
    }

    fn broadcast(&self, report: &Value, number: u64) {
        let mut payload = report.clone();
        payload["id"] = number.to_string().into();
        for subscriber in &*self.subscribers.lock() {
            let delivery = 1 + self.deliveries.fetch_add(1, Ordering::Relaxed);
            let is_late = self.behaviour.lose_after.is_some_and(|after| number >= after);
            if is_late || falls_on(delivery, self.behaviour.lose_every) {
                continue;
            }
            let mut payload = payload.clone();
            if falls_on(delivery, self.behaviour.misdeliver_every) {
                payload["appId"] = "other".into();
            }
            let frame = json!({"type": "metrics", "payload": payload});
            if falls_on(delivery, self.behaviour.delay_every) {
                let (subscriber, delay) = (subscriber.clone(), self.behaviour.delay);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    send_frame(&subscriber, &frame);
                });
                continue;
            }
            send_frame(subscriber, &frame);
            if falls_on(delivery, self.behaviour.double_every) {
                send_frame(subscriber, &frame);
            }
        }
    }
}

fn falls_on(number: u64, every: u64) -> bool {
    every > 0 && number.is_multiple_of(every)
}

fn send_frame(sender: &UnboundedSender<Message>, frame: &Value) {
    // The client may have closed.
    drop(sender.send(Message::text(frame.to_string())));
}
