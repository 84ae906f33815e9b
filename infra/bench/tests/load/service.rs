//! A small service that speaks the wire and can be told to misbehave.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// The key that the service accepts.
pub(crate) const KEY: &str = "nehonix@0000.nsl";

/// How the service behaves. A count of 0 means never; `every` counts deliveries, `after` and refusals count reports.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    pub(crate) admits: bool,
    pub(crate) lose_every: u64,
    pub(crate) lose_after: Option<u64>,
    pub(crate) double_every: u64,
    pub(crate) delay_every: u64,
    pub(crate) delay: Duration,
    pub(crate) misdeliver_every: u64,
    pub(crate) refuse_every: u64,
    pub(crate) silent_after: Option<u64>,
    pub(crate) hang_up_after: Option<u64>,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            admits: true,
            lose_every: 0,
            lose_after: None,
            double_every: 0,
            delay_every: 0,
            delay: Duration::ZERO,
            misdeliver_every: 0,
            refuse_every: 0,
            silent_after: None,
            hang_up_after: None,
        }
    }
}

/// The playing service. Ends with the test.
#[derive(Debug)]
pub(crate) struct Service(String);

#[derive(Debug)]
struct Stage {
    manners: Manners,
    subscribers: Mutex<Vec<UnboundedSender<Message>>>,
    reports: AtomicU64,
    deliveries: AtomicU64,
}

impl Service {
    pub(crate) async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let stage = Arc::new(Stage {
            manners,
            subscribers: Mutex::default(),
            reports: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&stage), stream));
            }
        });
        Self(url)
    }

    pub(crate) fn url(&self) -> String {
        self.0.clone()
    }
}

async fn serve(stage: Arc<Stage>, stream: TcpStream) {
    let admits = stage.manners.admits;
    #[expect(clippy::result_large_err, reason = "the shape that the handshake's callback has")]
    let judge = move |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let is_right = request.headers().get("x-api-key").is_some_and(|key| key == KEY);
        if admits && is_right {
            return Ok(response);
        }
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::UNAUTHORIZED;
        Err(refusal)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, judge).await else { return };
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
            stage.hear(&serde_json::from_str(&text).unwrap(), &sender);
        }
    }
}

impl Stage {
    fn hear(&self, frame: &Value, sender: &UnboundedSender<Message>) {
        match frame["type"].as_str() {
            Some("subscribe") => {
                self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).push(sender.clone());
                let payload = json!({"appId": frame["data"]["appId"], "reports": [], "complete": true});
                say(sender, &json!({"type": "subscribed", "payload": payload}));
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
            if self.manners.silent_after.is_some_and(|after| number > after) {
                return;
            }
            if self.manners.hang_up_after.is_some_and(|after| number > after) {
                let close = CloseFrame { code: 1001.into(), reason: "Going away".into() };
                drop(sender.send(Message::Close(Some(close))));
                return;
            }
            if falls_on(number, self.manners.refuse_every) {
                rejected
                    .push(json!({"index": index, "code": "unavailable", "message": "m", "retryable": true}));
                continue;
            }
            self.broadcast(report, number);
        }
        let payload =
            json!({"id": frame["id"], "accepted": reports.len() - rejected.len(), "rejected": rejected});
        say(sender, &json!({"type": "ack", "payload": payload}));
    }

    fn broadcast(&self, report: &Value, number: u64) {
        let mut payload = report.clone();
        payload["id"] = number.to_string().into();
        for subscriber in &*self.subscribers.lock().unwrap_or_else(PoisonError::into_inner) {
            let delivery = 1 + self.deliveries.fetch_add(1, Ordering::Relaxed);
            let is_late = self.manners.lose_after.is_some_and(|after| number >= after);
            if is_late || falls_on(delivery, self.manners.lose_every) {
                continue;
            }
            let mut payload = payload.clone();
            if falls_on(delivery, self.manners.misdeliver_every) {
                payload["appId"] = "somebody-elses".into();
            }
            let frame = json!({"type": "metrics", "payload": payload});
            if falls_on(delivery, self.manners.delay_every) {
                let (subscriber, delay) = (subscriber.clone(), self.manners.delay);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    say(&subscriber, &frame);
                });
                continue;
            }
            say(subscriber, &frame);
            if falls_on(delivery, self.manners.double_every) {
                say(subscriber, &frame);
            }
        }
    }
}

fn falls_on(number: u64, every: u64) -> bool {
    every > 0 && number.is_multiple_of(every)
}

fn say(sender: &UnboundedSender<Message>, frame: &Value) {
    // The other side may have closed.
    drop(sender.send(Message::text(frame.to_string())));
}
