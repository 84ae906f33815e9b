//! Closes connections that never authenticate and keep sending frames that are rejected.
//!
//! Counts in memory, and reads the session row only when a connection is about to be closed, so that no frame costs a
//! call and no authenticated connection is closed.

use nsl_domain::grant::Role;
use nsl_domain::ids::ConnectionId;
use nsl_domain::legacy::session::WRONG_FOR_MS;
use nsl_domain::time::TimestampMs;
use nsl_domain::unauthenticated::UnauthenticatedLimiter;
use parking_lot::Mutex;

use crate::connections_api::ConnectionsApi;
use crate::fault::Fault;
use crate::sessions::Sessions;

/// The unauthenticated connections that send to one function instance.
#[derive(Debug)]
pub struct UnauthenticatedConnections {
    limiter: Mutex<UnauthenticatedLimiter>,
    sessions: Sessions,
    connections_api: ConnectionsApi,
}

impl UnauthenticatedConnections {
    /// No frame is counted yet.
    pub fn new(sessions: Sessions, connections_api: ConnectionsApi) -> Self {
        Self { limiter: Mutex::default(), sessions, connections_api }
    }

    /// Counts a rejected frame of `connection`, whose handshake granted nothing; closes the connection if it was one
    /// too many, and returns whether it did. No call; at the last frame one consistent read and one close. A fault is
    /// logged and closes nothing.
    pub async fn count_rejected(&self, connection: &ConnectionId, now: TimestampMs) -> bool {
        let is_over = self.limiter.lock().count_rejected(connection);
        if !is_over {
            return false;
        }
        let closed = self.close(connection, now).await;
        match &closed {
            Ok(true) => tracing::info!(%connection, "unauthenticated connection closed"),
            Ok(false) => {}
            Err(fault) => {
                tracing::warn!(%connection, reason = fault.chain(), "unauthenticated connection not closed");
            }
        }
        closed.unwrap_or(false)
    }

    /// Closes the connection and returns true, unless it has ended, an `auth` succeeded in the meantime, or it is a program whose
    /// credentials have been wrong for less than [`WRONG_FOR_MS`]: a library that was accepted once keeps sending, and
    /// would reconnect every three seconds.
    async fn close(&self, connection: &ConnectionId, now: TimestampMs) -> Result<bool, Fault> {
        let session = self.sessions.find(connection).await?;
        let is_kept = session.is_some_and(|session| {
            let wrong_for_ms = session.wrong_since.map(|since| now.ms_since(since));
            let is_recently_wrong = wrong_for_ms.is_some_and(|ms| ms < WRONG_FOR_MS);
            let is_open_and_wrong = session.role == Role::Program && is_recently_wrong;
            session.is_ended || session.grant.is_some() || is_open_and_wrong
        });
        if is_kept {
            return Ok(false);
        }
        self.connections_api.close(connection).await?;
        Ok(true)
    }
}
