//! Runs a model on a real connection: carries its frames, fires its timers and checks every received frame for
//! compatibility. The model's own intervals are shortened by the endpoint's pace; the distance between the two copies of a
//! report and whatever the service measures are not.

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

use super::{Effect, FrameCounts, Input, Model, ModelState, Timer, UserAction, why_incompatible};
use crate::system::harness::{DEADLINE, now_ms};

/// How often a waiting test looks at a model.
const POLL: Duration = Duration::from_millis(20);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where a model connects, with which origin, and how many of its seconds pass in one second.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: String,
    pub(crate) origin: Option<&'static str>,
    pub(crate) pace: u32,
}

/// A model on a real connection.
pub(crate) struct RunningModel<M> {
    shared: Arc<Mutex<Shared<M>>>,
    inputs: UnboundedSender<Input>,
    task: JoinHandle<()>,
}

struct Shared<M> {
    model: M,
    counts: FrameCounts,
}

impl<M: Model> RunningModel<M> {
    pub(crate) fn start(model: M, endpoint: &Endpoint) -> Self {
        let shared = Arc::new(Mutex::new(Shared { model, counts: FrameCounts::default() }));
        let (inputs, received) = unbounded_channel();
        let (shared_with_actor, endpoint) = (Arc::clone(&shared), endpoint.clone());
        let actor = Actor { shared: shared_with_actor, endpoint, socket: None, timers: Vec::new() };
        Self { shared, inputs, task: tokio::spawn(actor.live(received)) }
    }

    pub(crate) fn perform(&self, action: UserAction) {
        let _ = self.inputs.send(Input::Action(action));
    }

    /// Passes `text` to the model as if it had been received.
    pub(crate) fn inject(&self, text: &str) {
        let _ = self.inputs.send(Input::Received(text.to_owned()));
    }

    pub(crate) fn inspect<T>(&self, look: impl FnOnce(&M) -> T) -> T {
        look(&self.shared.lock().expect("no model panics").model)
    }

    pub(crate) fn counts(&self) -> FrameCounts {
        self.shared.lock().expect("no model panics").counts.clone()
    }

    /// Waits until the model satisfies `fits`.
    pub(crate) async fn wait_until(&self, what: &str, fits: impl Fn(&M) -> bool) {
        self.wait_until_within(DEADLINE, what, fits).await;
    }

    pub(crate) async fn wait_until_within(&self, limit: Duration, what: &str, fits: impl Fn(&M) -> bool) {
        self.wait(limit, what, || self.inspect(&fits)).await;
    }

    pub(crate) async fn wait_for_connections(&self, connections: usize) {
        self.wait(DEADLINE, "connection", || self.connections() >= connections).await;
    }

    async fn wait(&self, limit: Duration, what: &str, fits: impl Fn() -> bool) {
        let until = Instant::now() + limit;
        while !fits() {
            let state = self.inspect(|model| model.state().clone());
            assert!(state == ModelState::Running, "no {what}: {state:?}; {:?}", self.counts());
            assert!(Instant::now() < until, "no {what} within {limit:?}; {:?}", self.counts());
            sleep(POLL).await;
        }
    }

    /// Connections opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().expect("no model panics").counts.connections.len()
    }

    /// Stops the model; asserts that it was still running and that the counts show no violation.
    pub(crate) async fn end(self, who: &str) -> (M, FrameCounts) {
        drop(self.inputs);
        self.task.await.unwrap_or_else(|cause| panic!("{who}: {cause}"));
        let Ok(shared) = Arc::try_unwrap(self.shared) else { panic!("{who}: the model is still shared") };
        let Shared { model, counts } = shared.into_inner().expect("no model panics");
        assert_eq!(model.state(), &ModelState::Running, "{who} stopped; {counts:?}");
        assert_eq!(counts.violations(), Vec::<String>::new(), "{who}: {counts:?}");
        (model, counts)
    }
}

struct Actor<M> {
    shared: Arc<Mutex<Shared<M>>>,
    endpoint: Endpoint,
    socket: Option<Socket>,
    timers: Vec<(Instant, Timer)>,
}

impl<M: Model> Actor<M> {
    async fn live(mut self, mut inputs: UnboundedReceiver<Input>) {
        self.handle(Input::Started).await;
        while self.is_running() {
            let due = self.timers.iter().map(|(at, _)| *at).min();
            let input = tokio::select! {
                input = inputs.recv() => match input {
                    None => break,
                    Some(input) => input,
                },
                input = next_timer(due, &mut self.timers) => input,
                input = next_message(&mut self.socket) => input,
            };
            self.handle(input).await;
        }
        if let Some(mut socket) = self.socket.take() {
            let _ = socket.close(None).await;
        }
        self.with(|shared| shared.counts.close());
    }

    /// Passes `input` to the model, carries out the effects, and repeats with the inputs that these cause.
    async fn handle(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.note(&input);
            let effects = self.with(|shared| shared.model.handle(input, now_ms()));
            for effect in effects {
                match effect {
                    Effect::Connect => inputs.push_back(self.connect().await),
                    Effect::Send(frame) => self.send(&frame).await,
                    Effect::SetTimer(timer, after) => {
                        self.timers.push((Instant::now() + after / self.endpoint.pace, timer))
                    }
                    Effect::SetExactTimer(timer, after) => self.timers.push((Instant::now() + after, timer)),
                }
            }
        }
    }

    fn note(&mut self, input: &Input) {
        self.with(|shared| match input {
            Input::Opened => shared.counts.open(),
            Input::HandshakeFailed => shared.counts.failed_handshakes += 1,
            Input::Closed => shared.counts.close(),
            Input::Received(text) => {
                let frame: Value = serde_json::from_str(text).unwrap_or_default();
                shared.counts.receive(&frame);
                if let Some(why) = why_incompatible(shared.model.kind(), text) {
                    shared.counts.incompatible.push(format!("{why}: {text}"));
                }
            }
            _ => {}
        });
    }

    async fn connect(&mut self) -> Input {
        match timeout(DEADLINE, handshake(&self.endpoint)).await {
            Ok(Ok(socket)) => {
                self.socket = Some(socket);
                Input::Opened
            }
            Ok(Err(_)) | Err(_) => Input::HandshakeFailed,
        }
    }

    async fn send(&mut self, frame: &Value) {
        let Some(socket) = &mut self.socket else { return };
        // If the socket breaks here, the next read reports it as closed.
        if socket.send(Message::text(frame.to_string())).await.is_ok() {
            self.with(|shared| shared.counts.send(frame));
        }
    }

    fn is_running(&self) -> bool {
        self.with(|shared| *shared.model.state() == ModelState::Running)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shared<M>) -> T) -> T {
        act(&mut self.shared.lock().expect("no model panics"))
    }
}

async fn handshake(endpoint: &Endpoint) -> Result<Socket, Box<Error>> {
    let mut request = endpoint.address.as_str().into_client_request()?;
    if let Some(origin) = endpoint.origin {
        request.headers_mut().insert("origin", HeaderValue::from_static(origin));
    }
    Ok(connect_async(request).await?.0)
}

/// The timer that is due first; never completes if none is set.
async fn next_timer(due: Option<Instant>, timers: &mut Vec<(Instant, Timer)>) -> Input {
    let Some(due) = due else { return std::future::pending().await };
    sleep_until(due).await;
    let index = timers.iter().position(|(at, _)| *at == due).expect("the timer is still set");
    Input::TimerFired(timers.remove(index).1)
}

/// The next message or the close; never completes without a connection.
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
