//! The connections in the library's dialect that this instance knows, shared between its invocations.
//!
//! Owns the lock and what is said of a frame before it is looked at. Decides nothing: that is the domain's matter.

use std::sync::{Mutex, MutexGuard, PoisonError};

use nsl_aws::event::SocketEvent;
use nsl_domain::conversation::connection_cache::{
    ConnectionCache, FLOOD_MS, FrameDecision, MAX_MODERN_FRAMES,
};
use nsl_domain::conversation::{Familiarity, Verdict};
use nsl_domain::frame::control::{ControlFrame, Request};
use nsl_domain::frame::outbound::Outbound;
use nsl_domain::grant::Grant;
use nsl_domain::ids::ConnectionId;
use nsl_domain::legacy::frames::LegacyRequest;
use nsl_domain::legacy::session::LegacySession;
use nsl_domain::rejection::{Code, Rejection};

/// Who is known.
#[derive(Debug, Default)]
pub(crate) struct Familiars {
    known: Mutex<ConnectionCache>,
}

impl Familiars {
    /// What is known of the connection before `request` is heard, or the end of a frame that is one too many.
    pub(crate) fn attend(&self, request: &Request, event: &SocketEvent) -> Result<Familiarity, Verdict> {
        let log_room = match request {
            Request::Legacy(LegacyRequest::Logs { entries, .. }) => {
                let sizes = entries.iter().map(String::len);
                self.known().log_room(&event.connection, sizes, event.arrival)
            }
            _ => {
                self.hear(event)?;
                0
            }
        };
        Ok(Familiarity {
            role: event.role,
            fixed: event.grant.clone(),
            remembered: self.known().remembered(&event.connection, event.arrival),
            log_room,
        })
    }

    /// Counts a frame; the end of it, and perhaps of its connection, where it is one too many.
    pub(crate) fn hear(&self, event: &SocketEvent) -> Result<(), Verdict> {
        match self.known().hear(&event.connection, event.role, event.arrival) {
            FrameDecision::Accept => Ok(()),
            FrameDecision::Ignore => Err(Verdict::absorbed()),
            FrameDecision::Close => Err(Verdict { close: true, ..Verdict::absorbed() }),
        }
    }

    /// Counts a frame of this protocol's own; its refusal and the end of its connection where it is one too many.
    pub(crate) fn hear_modern(&self, frame: &ControlFrame, event: &SocketEvent) -> Result<(), Verdict> {
        match self.known().hear_modern(&event.connection, event.arrival) {
            FrameDecision::Accept => Ok(()),
            FrameDecision::Ignore | FrameDecision::Close => {
                let message = format!("over {MAX_MODERN_FRAMES} frames in ten seconds, reports aside");
                let rejection = Rejection::new(Code::RateLimited, message).for_ms(FLOOD_MS);
                let refusal = Outbound::Error { rejection, id: frame.id.clone() };
                Err(Verdict { frames: vec![refusal.render()], close: true, ..Verdict::default() })
            }
        }
    }

    /// Whether the connection is known to have proved something by the library's `auth`.
    pub(crate) fn speaks_legacy(&self, event: &SocketEvent) -> bool {
        let remembered = self.known().remembered(&event.connection, event.arrival);
        remembered.and_then(|remembered| remembered.grant).as_ref().is_some_and(Grant::is_legacy)
    }

    /// Remembers what the session row said.
    pub(crate) fn remember(&self, remembered: &LegacySession, event: &SocketEvent) {
        self.known().remember(&event.connection, remembered.clone(), event.arrival);
    }

    /// Forgets a connection that has ended.
    pub(crate) fn forget(&self, connection: &ConnectionId) {
        self.known().forget(connection);
    }

    /// A panic elsewhere cannot leave whole values half written, so a poisoned lock is as good as any.
    fn known(&self) -> MutexGuard<'_, ConnectionCache> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
