//! One open connection: frames in, each an invocation of its own; frames out through a bounded queue; its end.

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
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error as Fault, Message};

use super::close::{End, limits};
use super::events::Session;
use super::registry::Live;
use super::{Gate, message};
use crate::clock;

/// Frames of one connection that are handled at a time; more are not read until one is done.
const MAX_IN_FLIGHT: usize = 64;
/// How long a client may take to read what is queued and the close frame.
const CLOSE_PATIENCE: Duration = Duration::from_secs(3);

type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Sink = SplitSink<Socket, Message>;

/// What the writer does before it gives the socket back.
struct LastWords {
    /// Whether queued frames are still sent.
    queued: bool,
    frame: Option<CloseFrame>,
}

/// Runs a connection until it ends, and tells `$disconnect`.
pub(crate) async fn run(gate: Arc<Gate>, session: Session, upgraded: Upgraded) {
    let socket = Socket::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(limits())).await;
    let (sink, mut stream) = socket.split();
    let (live, outbound) = Live::open(session);
    gate.registry.insert(&live);
    let (last_words, ending) = oneshot::channel();
    let writer = gate.tasks.spawn(write(sink, outbound, Arc::clone(&live), ending));

    let end = read(&gate, &live, &mut stream).await;

    gate.registry.remove(&live.session.connection_id);
    drop(last_words.send(LastWords { queued: end.lets_queue_finish(), frame: end.frame() }));
    // The socket's end may take its time; the functions learn of it at once.
    gate.tasks.spawn(async move {
        if let Ok(sink) = writer.await {
            finish(sink, stream).await;
        }
    });
    message::disconnected(&gate, &live.session, &end).await;
}

/// Reads frames until something ends the connection.
async fn read(gate: &Arc<Gate>, live: &Arc<Live>, stream: &mut SplitStream<Socket>) -> End {
    let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let mut permit = None;
    let expires = Instant::now() + gate.lifetimes.total;
    let mut asked = std::pin::pin!(live.asked_to_close());
    loop {
        let idle_ms = clock::now_ms().saturating_sub(live.last_active_ms());
        let idle = Duration::from_millis(u64::try_from(idle_ms).unwrap_or_default());
        let Some(left) = gate.lifetimes.idle.checked_sub(idle).filter(|left| !left.is_zero()) else {
            return End::IDLE;
        };
        let frame = tokio::select! {
            frame = next(stream, &in_flight, &mut permit) => frame,
            () = sleep_until(Instant::now() + left) => continue,
            () = sleep_until(expires) => return End::EXPIRED,
            closing = &mut asked => return End::asked(closing),
            () = gate.stop.cancelled() => return End::asked(super::registry::Closing::GoingAway),
        };
        match frame {
            Some(Ok(Message::Text(text))) => {
                live.touch();
                let handled = message::handle(Arc::clone(gate), Arc::clone(live), text.as_str().to_owned());
                let permit = permit.take();
                gate.tasks.spawn(async move {
                    handled.await;
                    drop(permit);
                });
            }
            Some(Ok(Message::Binary(_))) => return End::BINARY,
            Some(Ok(Message::Close(frame))) => return End::by_client(frame),
            // The library answers pings. Neither counts as activity: on AWS it is not known to.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(fault)) => return End::fault(&fault),
            None => return End::Broken,
        }
    }
}

/// The next frame, read only once there is room to handle it. Can be dropped and called again.
async fn next(
    stream: &mut SplitStream<Socket>,
    in_flight: &Arc<Semaphore>,
    permit: &mut Option<OwnedSemaphorePermit>,
) -> Option<Result<Message, Fault>> {
    if permit.is_none() {
        *permit = Arc::clone(in_flight).acquire_owned().await.ok();
    }
    stream.next().await
}

/// Sends queued frames until the connection ends, then its last words, and gives the socket back.
async fn write(
    mut sink: Sink,
    mut outbound: mpsc::Receiver<String>,
    live: Arc<Live>,
    mut ending: oneshot::Receiver<LastWords>,
) -> Sink {
    let mut held = None;
    let last_words = tokio::select! {
        biased;
        words = &mut ending => words.ok(),
        // The reading side notices a broken socket too, and ends the connection.
        _ = pump(&mut sink, &mut outbound, &live, &mut held) => (&mut ending).await.ok(),
    };
    outbound.close();
    if let Some(words) = last_words {
        drop(timeout(CLOSE_PATIENCE, speak(&mut sink, &mut outbound, held, words)).await);
    }
    sink
}

/// Sends queued frames for as long as that works. Can be dropped: a frame that was taken is in `held` or in the
/// socket's own buffer.
async fn pump(
    sink: &mut Sink,
    outbound: &mut mpsc::Receiver<String>,
    live: &Live,
    held: &mut Option<String>,
) -> Result<(), Fault> {
    while let Some(text) = outbound.recv().await {
        let length = text.len();
        *held = Some(text);
        poll_fn(|cx| sink.poll_ready_unpin(cx)).await?;
        if let Some(text) = held.take() {
            sink.start_send_unpin(Message::text(text))?;
        }
        sink.flush().await?;
        live.sent(length);
    }
    Ok(())
}

async fn speak(
    sink: &mut Sink,
    outbound: &mut mpsc::Receiver<String>,
    held: Option<String>,
    words: LastWords,
) -> Result<(), Fault> {
    if words.queued {
        if let Some(text) = held {
            sink.send(Message::text(text)).await?;
        }
        while let Ok(text) = outbound.try_recv() {
            sink.send(Message::text(text)).await?;
        }
    }
    match words.frame {
        Some(frame) => sink.send(Message::Close(Some(frame))).await,
        // The reply to the client's own close frame waits in the socket.
        None => sink.flush().await,
    }
}

/// Ends the socket so that the client sees the close frame: what it is still sending is read and thrown away, for
/// a socket that is closed with unread bytes is reset, and the reset may overtake the frame.
async fn finish(sink: Sink, stream: SplitStream<Socket>) {
    let Ok(mut socket) = stream.reunite(sink) else { return };
    let raw = socket.get_mut();
    if raw.shutdown().await.is_err() {
        return;
    }
    let mut thrown_away = vec![0; 4096];
    let drained = async { while matches!(raw.read(&mut thrown_away).await, Ok(length) if length > 0) {} };
    drop(timeout(CLOSE_PATIENCE, drained).await);
}
