//! One WebSocket connection: the handshake with its key, and the ear that hands every frame to the account.
//!
//! An ear outlives stages: it hears until the run ends or the connection does, and a connection that ends before the
//! run is a trouble.

use crate::fleet::Run;
use crate::target::App;
use crate::trouble::{Trouble, words};
use crate::wire::{Heard, hear};
use futures_util::StreamExt as _;
use futures_util::stream::{SplitSink, SplitStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, ClientRequestBuilder, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// Longest wait for a handshake: API Gateway gives `$connect` 29 seconds at most.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);

/// Read buffer of a connection, in bytes: a thousand connections with the default of 128 KB would cost more memory
/// than the service that they load.
const READ_BUFFER: usize = 8 * 1024;

/// Largest message that is taken from the service, in bytes: API Gateway's limit.
const MAX_MESSAGE: usize = 128 * 1024;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
pub(crate) type Mouth = SplitSink<Socket, Message>;

/// Dials as an application; its key travels in a header, where no log looks.
pub(crate) async fn dial(ws: &str, app: &App) -> Result<Socket, Trouble> {
    let address = ws.parse().map_err(|_| Trouble::Refused(format!("{} is no address", words(ws))))?;
    let request = ClientRequestBuilder::new(address).with_header("x-api-key", app.api_key.as_str());
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).max_message_size(Some(MAX_MESSAGE));
    let dialled = timeout(HANDSHAKE_LIMIT, connect_async_with_config(request, Some(config), true)).await;
    let (socket, _response) = dialled
        .map_err(|_| Trouble::no_answer("handshake", HANDSHAKE_LIMIT))?
        .map_err(|error| Trouble::of_handshake(&error))?;
    Ok(socket)
}

/// Whose connection an ear listens on.
#[derive(Debug)]
pub(crate) enum Role {
    /// A publisher, which may wait for answers.
    Publisher { index: usize, answers: Arc<Semaphore> },
    /// A subscriber, which waits to be subscribed once.
    Subscriber { index: usize, subscribed: Option<oneshot::Sender<Result<(), Trouble>>> },
}

/// Hears one connection.
#[derive(Debug)]
pub(crate) struct Ear {
    pub(crate) run: Arc<Run>,
    pub(crate) role: Role,
    /// Set once the connection carries nothing more.
    pub(crate) is_gone: Arc<AtomicBool>,
}

impl Ear {
    /// Hears until the connection ends.
    pub(crate) async fn listen(mut self, mut stream: SplitStream<Socket>) {
        let end = loop {
            match stream.next().await {
                Some(Ok(Message::Text(text))) => self.note(hear(text.as_str())),
                Some(Ok(Message::Close(close))) => break Trouble::of_close(close.as_ref()),
                Some(Ok(Message::Binary(_))) => self.trouble(Trouble::Wrong("a binary frame".to_owned())),
                // Pings are answered below this layer.
                Some(Ok(_)) => {}
                Some(Err(tungstenite::Error::ConnectionClosed)) | None => break Trouble::of_close(None),
                Some(Err(error)) => break Trouble::of_break(&error),
            }
        };
        self.is_gone.store(true, Ordering::Relaxed);
        if let Role::Publisher { answers, .. } = &self.role {
            answers.close();
        }
        if !self.run.is_ending() {
            self.trouble(end);
        }
    }

    fn note(&mut self, heard: Heard) {
        let now = self.run.clock.now();
        match (heard, &mut self.role) {
            (Heard::Ack { span, rejected }, Role::Publisher { index, answers }) => {
                self.run.book().acknowledge(*index, span, &rejected, now);
                answers.add_permits(1);
            }
            (Heard::Rejected { code, span }, Role::Publisher { index, answers }) => {
                self.run.book().reject(*index, span, &code, now);
                answers.add_permits(1);
            }
            (Heard::Live(live), Role::Subscriber { index, .. }) => {
                self.run.book().receive(*index, &live, now)
            }
            (Heard::Subscribed, Role::Subscriber { subscribed, .. }) => {
                // The one who waits may have lost patience.
                let _ = subscribed.take().map(|subscribed| subscribed.send(Ok(())));
            }
            (Heard::Rejected { code, .. }, Role::Subscriber { .. }) => {
                self.trouble(Trouble::Refused(format!("a subscription with {code}")));
            }
            (Heard::Live(_), Role::Publisher { .. }) => {
                self.trouble(Trouble::Wrong("a report for a publisher, who did not subscribe".to_owned()));
            }
            (Heard::Garbage(what), _) => self.trouble(Trouble::Wrong(what)),
            (Heard::Ack { .. } | Heard::Subscribed, _) => {
                self.trouble(Trouble::Wrong("an answer to what was not asked".to_owned()));
            }
            (Heard::Other, _) => {}
        }
    }

    /// Tells whoever waits for the connection to be ready, else the account.
    fn trouble(&mut self, trouble: Trouble) {
        let waiting = match &mut self.role {
            Role::Subscriber { subscribed, .. } => subscribed.take(),
            Role::Publisher { .. } => None,
        };
        match waiting {
            // The one who waits may have lost patience, and has counted that.
            Some(waiting) => drop(waiting.send(Err(trouble))),
            None => self.run.book().trouble(trouble),
        }
    }
}
