//! Lets a model live on a real connection: carries its frames, rings its alarms, and holds every frame that comes
//! against the list of what is deadly. The model's own intervals are compressed by the front's pace; the
//! distance between the two copies of a report, and whatever the service itself measures, is not.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Alarm, Effect, Fate, Input, Model, Tally, Wish, why_deadly};
use crate::system::harness::{DEADLINE, now_ms};

/// Between two looks at a model: short against the deadline, long against the work of looking.
const POLL: Duration = Duration::from_millis(20);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where a model connects, as whom, and how many of its seconds one second is.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    pub(crate) address: String,
    pub(crate) origin: Option<&'static str>,
    pub(crate) pace: u32,
}

/// A model that lives.
pub(crate) struct Life<M> {
    stage: Arc<Mutex<Stage<M>>>,
    orders: UnboundedSender<Order>,
    task: JoinHandle<()>,
}

struct Stage<M> {
    model: M,
    tally: Tally,
}

enum Order {
    Wish(Wish),
    Overhear(String),
}

impl<M: Model> Life<M> {
    pub(crate) fn begin(model: M, front: &Front) -> Self {
        let stage = Arc::new(Mutex::new(Stage { model, tally: Tally::default() }));
        let (orders, received) = unbounded_channel();
        let (stage_of_actor, front) = (Arc::clone(&stage), front.clone());
        let actor = Actor { stage: stage_of_actor, front, socket: None, alarms: Vec::new() };
        Self { stage, orders, task: tokio::spawn(actor.live(received)) }
    }

    pub(crate) fn wish(&self, wish: Wish) {
        let _ = self.orders.send(Order::Wish(wish));
    }

    /// Lets the model receive what API Gateway itself might send.
    pub(crate) fn overhear(&self, text: &str) {
        let _ = self.orders.send(Order::Overhear(text.to_owned()));
    }

    pub(crate) fn see<T>(&self, look: impl FnOnce(&M) -> T) -> T {
        look(&self.stage.lock().expect("no model panics").model)
    }

    pub(crate) fn tally(&self) -> Tally {
        self.stage.lock().expect("no model panics").tally.clone()
    }

    /// Waits until the model's state is as wanted.
    pub(crate) async fn until(&self, what: &str, fits: impl Fn(&M) -> bool) {
        self.until_within(DEADLINE, what, fits).await;
    }

    /// The same for what the service promises within a longer time.
    pub(crate) async fn until_within(&self, limit: Duration, what: &str, fits: impl Fn(&M) -> bool) {
        let until = Instant::now() + limit;
        while !self.see(&fits) {
            let fate = self.see(|model| model.fate().clone());
            assert!(fate == Fate::Living, "no {what}: {fate:?}; {:?}", self.tally());
            assert!(Instant::now() < until, "no {what} within {limit:?}; {:?}", self.tally());
            sleep(POLL).await;
        }
    }

    /// Waits until the model has opened this many connections.
    pub(crate) async fn opens(&self, connections: usize) {
        let until = Instant::now() + DEADLINE;
        while self.connections() < connections {
            assert!(Instant::now() < until, "no connection within {DEADLINE:?}; {:?}", self.tally());
            sleep(POLL).await;
        }
    }

    /// How many connections it has opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.stage.lock().expect("no model panics").tally.connections.len()
    }

    /// Ends the life in peace and proves that it was one: the model neither died nor threw nor gave up, and the
    /// service kept every promise that the counts can tell.
    pub(crate) async fn end(self, who: &str) -> (M, Tally) {
        drop(self.orders);
        self.task.await.unwrap_or_else(|cause| panic!("{who}: {cause}"));
        let Ok(stage) = Arc::try_unwrap(self.stage) else { panic!("{who}: nobody else looks any more") };
        let Stage { model, tally } = stage.into_inner().expect("no model panics");
        assert_eq!(model.fate(), &Fate::Living, "{who} did not live; {tally:?}");
        assert_eq!(tally.breaches(), Vec::<String>::new(), "{who}: {tally:?}");
        (model, tally)
    }
}

struct Actor<M> {
    stage: Arc<Mutex<Stage<M>>>,
    front: Front,
    socket: Option<Socket>,
    alarms: Vec<(Instant, Alarm)>,
}

impl<M: Model> Actor<M> {
    async fn live(mut self, mut orders: UnboundedReceiver<Order>) {
        self.hear(Input::Started).await;
        while self.is_living() {
            let due = self.alarms.iter().map(|(at, _)| *at).min();
            let input = tokio::select! {
                order = orders.recv() => match order {
                    None => break,
                    Some(Order::Wish(wish)) => Input::Wished(wish),
                    Some(Order::Overhear(text)) => Input::Received(text),
                },
                input = next_alarm(due, &mut self.alarms) => input,
                input = next_message(&mut self.socket) => input,
            };
            self.hear(input).await;
        }
        if let Some(mut socket) = self.socket.take() {
            let _ = socket.close(None).await;
        }
        self.with(|stage| stage.tally.close());
    }

    /// Tells the model, does what it wants, and goes on with what comes of that.
    async fn hear(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.note(&input);
            let effects = self.with(|stage| stage.model.hear(input, now_ms()));
            for effect in effects {
                match effect {
                    Effect::Connect => inputs.push_back(self.connect().await),
                    Effect::Send(frame) => self.send(&frame).await,
                    Effect::Wake(alarm, after) => {
                        self.alarms.push((Instant::now() + after / self.front.pace, alarm))
                    }
                    Effect::WakeExactly(alarm, after) => self.alarms.push((Instant::now() + after, alarm)),
                }
            }
        }
    }

    fn note(&mut self, input: &Input) {
        self.with(|stage| match input {
            Input::Opened => stage.tally.open(),
            Input::HandshakeFailed => stage.tally.failed_handshakes += 1,
            Input::Closed => stage.tally.close(),
            Input::Received(text) => {
                let frame: Value = serde_json::from_str(text).unwrap_or_default();
                stage.tally.receive(&frame);
                if let Some(why) = why_deadly(stage.model.party(), text) {
                    stage.tally.deadly.push(format!("{why}: {text}"));
                }
            }
            _ => {}
        });
    }

    async fn connect(&mut self) -> Input {
        match timeout(DEADLINE, handshake(&self.front)).await {
            Ok(Ok(socket)) => {
                self.socket = Some(socket);
                Input::Opened
            }
            Ok(Err(_)) | Err(_) => Input::HandshakeFailed,
        }
    }

    async fn send(&mut self, frame: &Value) {
        let Some(socket) = &mut self.socket else { return };
        // A socket that breaks here is found closed when it is read next.
        if socket.send(Message::text(frame.to_string())).await.is_ok() {
            self.with(|stage| stage.tally.send(frame));
        }
    }

    fn is_living(&self) -> bool {
        self.with(|stage| *stage.model.fate() == Fate::Living)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Stage<M>) -> T) -> T {
        act(&mut self.stage.lock().expect("no model panics"))
    }
}

async fn handshake(front: &Front) -> Result<Socket, Box<Error>> {
    let mut request = front.address.as_str().into_client_request()?;
    if let Some(origin) = front.origin {
        request.headers_mut().insert("origin", HeaderValue::from_static(origin));
    }
    Ok(connect_async(request).await?.0)
}

/// The alarm that is due, once it is; for ever where there is none.
async fn next_alarm(due: Option<Instant>, alarms: &mut Vec<(Instant, Alarm)>) -> Input {
    let Some(due) = due else { return std::future::pending().await };
    sleep_until(due).await;
    let index = alarms.iter().position(|(at, _)| *at == due).expect("the alarm is still set");
    Input::Rang(alarms.remove(index).1)
}

/// The next message, or the end; for ever where there is no connection.
async fn next_message(connected: &mut Option<Socket>) -> Input {
    let Some(socket) = connected else { return std::future::pending().await };
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Input::Received(text.as_str().to_owned()),
            Some(Ok(Message::Binary(bytes))) => {
                return Input::Received(String::from_utf8_lossy(&bytes).into_owned());
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_))) => {}
            Some(Err(_)) | None => {
                *connected = None;
                return Input::Closed;
            }
        }
    }
}
