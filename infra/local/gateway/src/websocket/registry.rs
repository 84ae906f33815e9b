//! The open connections, and what may be done to one from outside: post a frame, ask it to close.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};

use super::events::Session;
use crate::clock;

/// Frames that may wait for a slow reader.
const MAX_QUEUED_FRAMES: usize = 256;
/// Bytes that may wait for a slow reader.
const MAX_QUEUED_BYTES: usize = 4 * 1024 * 1024;

/// Why a connection was asked to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// `DELETE @connections`.
    Deleted,
    /// Its reader is too slow for what is sent to it.
    TooSlow,
    /// The gateway stops.
    GoingAway,
}

/// The connection does not exist any more, or not yet.
#[derive(Debug)]
pub(crate) struct Gone;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) session: Session,
    last_active_ms: AtomicI64,
    outbound: mpsc::Sender<String>,
    queued_bytes: AtomicUsize,
    closing: watch::Sender<Option<Closing>>,
}

impl Live {
    /// A connection and the receiving end of its frames.
    pub(crate) fn open(session: Session) -> (Arc<Self>, mpsc::Receiver<String>) {
        let (outbound, frames) = mpsc::channel(MAX_QUEUED_FRAMES);
        let live = Self {
            last_active_ms: AtomicI64::new(session.connected_at_ms),
            session,
            outbound,
            queued_bytes: AtomicUsize::new(0),
            closing: watch::Sender::new(None),
        };
        (Arc::new(live), frames)
    }

    /// Queues a frame; never waits. A connection whose queue is full is closed.
    pub(crate) fn post(&self, text: String) -> Result<(), Gone> {
        let length = text.len();
        let queued = self.queued_bytes.fetch_add(length, Ordering::Relaxed);
        if queued + length > MAX_QUEUED_BYTES {
            self.close(Closing::TooSlow);
            return Err(Gone);
        }
        match self.outbound.try_send(text) {
            Ok(()) => {
                self.touch();
                Ok(())
            }
            Err(fault) => {
                if matches!(fault, mpsc::error::TrySendError::Full(_)) {
                    self.close(Closing::TooSlow);
                }
                Err(Gone)
            }
        }
    }

    /// Notes that a queued frame of `length` bytes has reached the socket.
    pub(crate) fn sent(&self, length: usize) {
        self.queued_bytes.fetch_sub(length, Ordering::Relaxed);
    }

    /// Asks the connection to close; the first reason stays.
    pub(crate) fn close(&self, reason: Closing) {
        self.closing.send_if_modified(|closing| {
            let first = closing.is_none();
            closing.get_or_insert(reason);
            first
        });
    }

    fn is_closing(&self) -> bool {
        self.closing.borrow().is_some()
    }

    /// Waits until the connection is asked to close.
    pub(crate) async fn asked_to_close(&self) -> Closing {
        let mut asked = self.closing.subscribe();
        let closing = asked.wait_for(Option::is_some).await.ok().and_then(|closing| *closing);
        // The sender lives in `self`, so the wait cannot fail.
        closing.unwrap_or(Closing::GoingAway)
    }

    /// Notes a message in either direction.
    pub(crate) fn touch(&self) {
        self.last_active_ms.store(clock::now_ms(), Ordering::Relaxed);
    }

    pub(crate) fn last_active_ms(&self) -> i64 {
        self.last_active_ms.load(Ordering::Relaxed)
    }
}

/// All open connections by id.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    open: Mutex<HashMap<String, Arc<Live>>>,
}

impl Registry {
    pub(crate) fn insert(&self, live: &Arc<Live>) {
        self.lock().insert(live.session.connection_id.clone(), Arc::clone(live));
    }

    pub(crate) fn remove(&self, connection_id: &str) {
        self.lock().remove(connection_id);
    }

    pub(crate) fn find(&self, connection_id: &str) -> Option<Arc<Live>> {
        // To the outside a connection that was asked to close is gone, although its last frames are under way.
        self.lock().get(connection_id).filter(|live| !live.is_closing()).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Live>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            connection_id: "c=".into(),
            connected_at_ms: 0,
            host: String::new(),
            source_ip: String::new(),
            user_agent: None,
            authorizer: None,
        }
    }

    #[tokio::test]
    async fn a_full_queue_closes_the_connection() {
        let (live, _frames) = Live::open(session());
        for _ in 0..MAX_QUEUED_FRAMES {
            assert!(live.post("x".into()).is_ok());
        }
        assert!(live.post("x".into()).is_err());
        live.close(Closing::Deleted);
        assert_eq!(live.asked_to_close().await, Closing::TooSlow);
    }

    #[tokio::test]
    async fn bytes_count_as_well_as_frames_until_they_are_sent() {
        let (live, mut frames) = Live::open(session());
        let big = "x".repeat(MAX_QUEUED_BYTES / 2);
        assert!(live.post(big.clone()).is_ok());
        assert!(live.post(big.clone()).is_ok());
        live.sent(frames.recv().await.unwrap().len());
        assert!(live.post(big).is_ok());
        assert!(live.post("x".into()).is_err());
    }

    #[test]
    fn a_connection_that_was_asked_to_close_is_gone() {
        let registry = Registry::default();
        let (live, _frames) = Live::open(session());
        registry.insert(&live);
        assert!(registry.find("c=").is_some());
        live.close(Closing::Deleted);
        assert!(registry.find("c=").is_none());
    }

    #[test]
    fn a_connection_that_ended_takes_no_frame() {
        let (live, frames) = Live::open(session());
        drop(frames);
        assert!(live.post("x".into()).is_err());
    }
}
