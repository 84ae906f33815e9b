//! Strangers: connections that have proved nothing and go on sending.
//!
//! Counts their refused frames in memory, and reads the session row only when one is about to be closed: no frame
//! costs a call for it, and nobody who has proved something is closed. Ruled by docs/PROTOCOL.md.

use std::sync::{Mutex, PoisonError};

use nsl_domain::ids::ConnectionId;
use nsl_domain::stranger::{self, Patience};

use crate::courier::Courier;
use crate::fault::Fault;
use crate::sessions::Sessions;

/// What one function instance has heard of strangers.
#[derive(Debug)]
pub struct Strangers {
    heard: Mutex<stranger::Strangers>,
    sessions: Sessions,
    courier: Courier,
}

impl Strangers {
    /// Nobody was heard yet.
    pub fn new(sessions: Sessions, courier: Courier) -> Self {
        Self { heard: Mutex::default(), sessions, courier }
    }

    /// Counts a refused frame of `connection`, whose handshake granted nothing, and closes it where it was one too
    /// many. No call; at the last frame one consistent read and one close. A fault is logged and closes nothing.
    pub async fn refused(&self, connection: &ConnectionId) {
        let patience = self.heard.lock().unwrap_or_else(PoisonError::into_inner).count(connection);
        if patience == Patience::Left {
            return;
        }
        match self.close(connection).await {
            Ok(true) => tracing::info!(%connection, "a stranger was closed"),
            Ok(false) => {}
            Err(fault) => tracing::warn!(%connection, reason = fault.chain(), "a stranger was not closed"),
        }
    }

    /// Whether it was closed: not where an `auth` proved something in the meantime.
    async fn close(&self, connection: &ConnectionId) -> Result<bool, Fault> {
        let session = self.sessions.find(connection).await?;
        if session.is_some_and(|session| session.grant.is_some()) {
            return Ok(false);
        }
        self.courier.close(connection).await?;
        Ok(true)
    }
}
