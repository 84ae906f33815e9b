//! The socket of one connection: each frame in is an invocation, frames out come from a bounded queue.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::api::WebSocketApi;
use super::close::{Disconnect, socket_config};
use super::connection::Connection;
use super::events::ConnectionContext;
use super::message;
use crate::clock;

/// Frames of one connection that are handled at once; further frames are read when one is done.
const MAX_IN_FLIGHT: usize = 64;
/// How long a client may take to read queued frames and the close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Sink = SplitSink<Socket, Message>;

/// Runs a connection until it ends, then invokes `$disconnect`.
pub(crate) async fn run(api: Arc<WebSocketApi>, context: ConnectionContext, upgraded: Upgraded) {
    let config = Some(socket_config());
    let socket = Socket::from_raw_socket(TokioIo::new(upgraded), Role::Server, config).await;
    let (sink, mut stream) = socket.split();
    let (connection, outbound) = Connection::new(context);
    api.registry.insert(&connection);
    let (end_writer, ending) = oneshot::channel();
    let writer = api.tasks.spawn(write(sink, outbound, Arc::clone(&connection), ending));

    let disconnect = read(&api, &connection, &mut stream).await;

    api.registry.remove(&connection.context.connection_id);
    drop(end_writer.send(disconnect.clone()));
    // In its own task, so that `$disconnect` does not wait for a slow client.
    api.tasks.spawn(async move {
        if let Ok(sink) = writer.await {
            shut_down(sink, stream).await;
        }
    });
    message::disconnected(&api, &connection.context, &disconnect).await;
}

/// Reads frames until something ends the connection.
async fn read(
    api: &Arc<WebSocketApi>,
    connection: &Arc<Connection>,
    stream: &mut SplitStream<Socket>,
) -> Disconnect {
    let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let mut permit = None;
    let expires = Instant::now() + api.max_duration;
    let mut close_requested = std::pin::pin!(connection.close_requested());
    loop {
        let idle_ms = clock::now_ms().saturating_sub(connection.last_active_ms());
        let idle = Duration::from_millis(u64::try_from(idle_ms).unwrap_or_default());
        let Some(left) = api.idle_timeout.checked_sub(idle).filter(|left| !left.is_zero()) else {
            return Disconnect::GOING_AWAY;
        };
        let frame = tokio::select! {
            frame = next_frame(stream, &in_flight, &mut permit) => frame,
            () = sleep_until(Instant::now() + left) => continue,
            () = sleep_until(expires) => return Disconnect::GOING_AWAY,
            reason = &mut close_requested => return reason,
            () = api.stop.cancelled() => return Disconnect::GOING_AWAY,
        };
        match frame {
            Some(Ok(Message::Text(text))) => {
                connection.touch();
                let text = text.as_str().to_owned();
                let handled = message::handle(Arc::clone(api), Arc::clone(connection), text);
                let permit = permit.take();
                api.tasks.spawn(async move {
                    handled.await;
                    drop(permit);
                });
            }
            Some(Ok(Message::Binary(_))) => return Disconnect::BINARY_FRAME,
            Some(Ok(Message::Close(frame))) => return Disconnect::by_client(frame),
            // tungstenite answers pings. They do not count as activity: AWS does not document that they do.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(error)) => return Disconnect::from_error(&error),
            None => return Disconnect::Broken,
        }
    }
}

/// The next frame, read only when it can be handled at once. Cancel-safe.
async fn next_frame(
    stream: &mut SplitStream<Socket>,
    in_flight: &Arc<Semaphore>,
    permit: &mut Option<OwnedSemaphorePermit>,
) -> Option<Result<Message, Error>> {
    if permit.is_none() {
        *permit = Arc::clone(in_flight).acquire_owned().await.ok();
    }
    stream.next().await
}

/// Sends queued frames until the connection ends, then the final frames, and returns the sink.
async fn write(
    mut sink: Sink,
    mut outbound: mpsc::Receiver<String>,
    connection: Arc<Connection>,
    mut ending: oneshot::Receiver<Disconnect>,
) -> Sink {
    let mut unsent = None;
    let disconnect = tokio::select! {
        biased;
        disconnect = &mut ending => disconnect.ok(),
        // A write error also ends the reading side, which then sends the final frames.
        _ = send_queued(&mut sink, &mut outbound, &connection, &mut unsent) => (&mut ending).await.ok(),
    };
    outbound.close();
    if let Some(disconnect) = disconnect {
        drop(timeout(CLOSE_TIMEOUT, send_final(&mut sink, &mut outbound, unsent, &disconnect)).await);
    }
    sink
}

/// Sends queued frames until that fails. Cancel-safe: a frame taken from the queue is in `unsent` or in the sink.
async fn send_queued(
    sink: &mut Sink,
    outbound: &mut mpsc::Receiver<String>,
    connection: &Connection,
    unsent: &mut Option<String>,
) -> Result<(), Error> {
    while let Some(text) = outbound.recv().await {
        let length = text.len();
        *unsent = Some(text);
        poll_fn(|cx| sink.poll_ready_unpin(cx)).await?;
        if let Some(text) = unsent.take() {
            sink.start_send_unpin(Message::text(text))?;
        }
        sink.flush().await?;
        connection.sent(length);
    }
    Ok(())
}

async fn send_final(
    sink: &mut Sink,
    outbound: &mut mpsc::Receiver<String>,
    unsent: Option<String>,
    disconnect: &Disconnect,
) -> Result<(), Error> {
    if disconnect.sends_queued_frames() {
        if let Some(text) = unsent {
            sink.send(Message::text(text)).await?;
        }
        while let Ok(text) = outbound.try_recv() {
            sink.send(Message::text(text)).await?;
        }
    }
    match disconnect.close_frame() {
        Some(frame) => sink.send(Message::Close(Some(frame))).await,
        // tungstenite has queued the reply to the client's own close frame.
        None => sink.flush().await,
    }
}

/// Closes the socket so that the client sees the close frame: discards what the client is still sending, because
/// closing a socket with unread bytes resets it, and the reset may overtake the frame.
async fn shut_down(sink: Sink, stream: SplitStream<Socket>) {
    let Ok(mut socket) = stream.reunite(sink) else { return };
    let raw = socket.get_mut();
    if raw.shutdown().await.is_err() {
        return;
    }
    let mut discarded = vec![0; 4096];
    let drained = async { while matches!(raw.read(&mut discarded).await, Ok(length) if length > 0) {} };
    drop(timeout(CLOSE_TIMEOUT, drained).await);
}
