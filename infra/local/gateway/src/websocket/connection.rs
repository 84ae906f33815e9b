//! The open connections as the rest of the gateway sees them: post a frame to one, ask it to close.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use super::close::Disconnect;
use super::events::ConnectionContext;
use crate::clock;

/// Frames that may wait for a slow client.
const MAX_QUEUED_FRAMES: usize = 256;
const MAX_QUEUED_BYTES: usize = 4 * 1024 * 1024;

/// The connection does not exist.
#[derive(Debug)]
pub(crate) struct Gone;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) context: ConnectionContext,
    last_active_ms: AtomicI64,
    outbound: mpsc::Sender<String>,
    queued_bytes: AtomicUsize,
    closing: watch::Sender<Option<Disconnect>>,
}

impl Connection {
    /// A connection and the receiver of its outbound frames.
    pub(crate) fn new(context: ConnectionContext) -> (Arc<Self>, mpsc::Receiver<String>) {
        let (outbound, frames) = mpsc::channel(MAX_QUEUED_FRAMES);
        let connection = Self {
            last_active_ms: AtomicI64::new(context.connected_at_ms),
            context,
            outbound,
            queued_bytes: AtomicUsize::new(0),
            closing: watch::Sender::new(None),
        };
        (Arc::new(connection), frames)
    }

    /// Queues a frame without waiting. A connection whose queue is full is closed.
    pub(crate) fn post(&self, text: String) -> Result<(), Gone> {
        let length = text.len();
        let queued = self.queued_bytes.fetch_add(length, Ordering::Relaxed);
        if queued + length > MAX_QUEUED_BYTES {
            self.close(Disconnect::TOO_SLOW);
            return Err(Gone);
        }
        match self.outbound.try_send(text) {
            Ok(()) => {
                self.touch();
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.close(Disconnect::TOO_SLOW);
                Err(Gone)
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Gone),
        }
    }

    /// Records that a queued frame of `length` bytes was written to the socket.
    pub(crate) fn sent(&self, length: usize) {
        self.queued_bytes.fetch_sub(length, Ordering::Relaxed);
    }

    /// Asks the connection to close; the first reason counts.
    pub(crate) fn close(&self, reason: Disconnect) {
        self.closing.send_if_modified(|closing| {
            let is_first = closing.is_none();
            closing.get_or_insert(reason);
            is_first
        });
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.borrow().is_some()
    }

    /// Waits until the connection is asked to close.
    pub(crate) async fn close_requested(&self) -> Disconnect {
        let mut closing = self.closing.subscribe();
        let reason = closing.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        // The sender lives as long as `self`, so waiting cannot fail.
        reason.unwrap_or(Disconnect::GOING_AWAY)
    }

    /// Records a message in either direction.
    pub(crate) fn touch(&self) {
        self.last_active_ms.store(clock::now_ms(), Ordering::Relaxed);
    }

    pub(crate) fn last_active_ms(&self) -> i64 {
        self.last_active_ms.load(Ordering::Relaxed)
    }
}

/// The open connections by id.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    connections: Mutex<HashMap<String, Arc<Connection>>>,
}

impl Registry {
    pub(crate) fn insert(&self, connection: &Arc<Connection>) {
        let id = connection.context.connection_id.clone();
        self.connections.lock().insert(id, Arc::clone(connection));
    }

    pub(crate) fn remove(&self, connection_id: &str) {
        self.connections.lock().remove(connection_id);
    }

    /// A connection that is closing counts as gone, although its last frames are still being sent.
    pub(crate) fn get(&self, connection_id: &str) -> Option<Arc<Connection>> {
        self.connections.lock().get(connection_id).filter(|connection| !connection.is_closing()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn full_queue_closes_the_connection() {
        let (connection, _frames) = Connection::new(ConnectionContext::default());
        for _ in 0..MAX_QUEUED_FRAMES {
            assert!(connection.post("x".into()).is_ok());
        }
        assert!(connection.post("x".into()).is_err());
        connection.close(Disconnect::DELETED);
        assert_eq!(connection.close_requested().await, Disconnect::TOO_SLOW);
    }

    #[tokio::test]
    async fn queued_bytes_count_until_they_are_sent() {
        let (connection, mut frames) = Connection::new(ConnectionContext::default());
        let big = "x".repeat(MAX_QUEUED_BYTES / 2);
        assert!(connection.post(big.clone()).is_ok());
        assert!(connection.post(big.clone()).is_ok());
        connection.sent(frames.recv().await.unwrap().len());
        assert!(connection.post(big).is_ok());
        assert!(connection.post("x".into()).is_err());
    }

    #[test]
    fn closed_connection_takes_no_frame() {
        let (connection, _) = Connection::new(ConnectionContext::default());
        assert!(connection.post("x".into()).is_err());
    }

    #[test]
    fn closing_connection_is_gone() {
        let registry = Registry::default();
        let (connection, _frames) = Connection::new(ConnectionContext::default());
        registry.insert(&connection);
        assert!(registry.get("").is_some());
        connection.close(Disconnect::DELETED);
        assert!(registry.get("").is_none());
    }
}
