//! Strangers: connections that have proved nothing and go on sending.
//!
//! Counts their refused frames in memory, and reads the session row only when one is about to be closed: no frame
//! costs a call for it, and nobody who has proved something is closed. Ruled by docs/PROTOCOL.md.

use std::sync::{Mutex, PoisonError};

use nsl_domain::conversation::remembered::WRONG_FOR_MS;
use nsl_domain::grant::Role;
use nsl_domain::ids::ConnectionId;
use nsl_domain::stranger::{self, Patience};
use nsl_domain::time::TimestampMs;

use crate::connections_api::ConnectionsApi;
use crate::fault::Fault;
use crate::sessions::Sessions;

/// What one function instance has heard of strangers.
#[derive(Debug)]
pub struct Strangers {
    heard: Mutex<stranger::Strangers>,
    sessions: Sessions,
    connections_api: ConnectionsApi,
}

impl Strangers {
    /// Nobody was heard yet.
    pub fn new(sessions: Sessions, connections_api: ConnectionsApi) -> Self {
        Self { heard: Mutex::default(), sessions, connections_api }
    }

    /// Counts a refused frame of `connection`, whose handshake granted nothing, and closes it where it was one too
    /// many, which it tells. No call; at the last frame one consistent read and one close. A fault is logged and closes
    /// nothing.
    pub async fn refused(&self, connection: &ConnectionId, now: TimestampMs) -> bool {
        let patience = self.heard.lock().unwrap_or_else(PoisonError::into_inner).count(connection);
        if patience == Patience::Left {
            return false;
        }
        let closed = self.close(connection, now).await;
        match &closed {
            Ok(true) => tracing::info!(%connection, "a stranger was closed"),
            Ok(false) => {}
            Err(fault) => tracing::warn!(%connection, reason = fault.chain(), "a stranger was not closed"),
        }
        closed.unwrap_or(false)
    }

    /// Whether it was closed: not where an `auth` proved something in the meantime, nor a program whose credentials
    /// are wrong, before its time. It may be a library that was welcome once and reports on: closed, it would come
    /// back every three seconds.
    async fn close(&self, connection: &ConnectionId, now: TimestampMs) -> Result<bool, Fault> {
        let session = self.sessions.find(connection).await?;
        let is_spared = session.is_some_and(|session| {
            let is_wrong_for_ms = session.wrong_since.map(|since| now.ms_since(since));
            let is_let_be = is_wrong_for_ms.is_some_and(|ms| ms < WRONG_FOR_MS);
            session.grant.is_some() || session.role == Role::Program && is_let_be
        });
        if is_spared {
            return Ok(false);
        }
        self.connections_api.close(connection).await?;
        Ok(true)
    }
}
