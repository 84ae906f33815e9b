//! The state of a connection in the library's dialect while its frame is answered.

use super::session::LegacySession;
use crate::conversation::reply::Reply;
use crate::frame::fields::Field;
use crate::grant::{Grant, GrantedApps, Role};
use crate::ids::AppId;
use crate::time::{SECOND_MS, TimestampMs};

/// Shortest time between two reads of the session row of a connection without a grant for its `logs`, in milliseconds:
/// the library sends every entry in a frame of its own.
const REREAD_MS: i64 = SECOND_MS;

/// A connection in the library's dialect.
#[derive(Debug, Clone)]
pub struct LegacyContext {
    /// The kind of client.
    pub role: Role,
    /// The grant of the handshake.
    pub handshake_grant: Option<Grant>,
    /// The session row, from the cache of this instance until it is read for this frame.
    pub session: Option<LegacySession>,
    /// When that row was read: at [`Self::now`] if for this frame, so that it is to be cached.
    pub session_read_at: Option<TimestampMs>,
    /// Log entries that it may send now.
    pub log_room: usize,
    /// When the frame arrived.
    pub now: TimestampMs,
}

impl LegacyContext {
    /// Notes the session row as it was just read.
    pub(super) fn set_session(&mut self, session: LegacySession) {
        self.session = Some(session);
        self.session_read_at = Some(self.now);
    }

    /// The session row as it is known.
    pub(super) fn session(&self) -> &LegacySession {
        static NONE: LegacySession = LegacySession::NONE;
        self.session.as_ref().unwrap_or(&NONE)
    }

    pub(super) fn session_mut(&mut self) -> &mut LegacySession {
        self.session.get_or_insert_default()
    }

    /// Whether the session row was read within [`REREAD_MS`] and had no grant.
    pub(super) fn is_known_without_grant(&self) -> bool {
        let is_recent = self.session_read_at.is_some_and(|at| self.now.ms_since(at) < REREAD_MS);
        is_recent && self.grant().is_none()
    }

    /// The grant of the handshake, or else of the session row if that is cached or read.
    pub fn grant(&self) -> Option<&Grant> {
        self.handshake_grant.as_ref().or_else(|| self.session.as_ref()?.grant.as_ref())
    }

    /// Closes a program whose credentials have been wrong for too long; `None` for all others.
    pub(super) fn close_if_rejected_too_long(&self) -> Option<Reply> {
        let timed_out = self.session.as_ref()?.rejection_timed_out(self.role, self.now);
        (timed_out && self.handshake_grant.is_none()).then(|| Reply { close: true, ..Reply::silence() })
    }

    /// The app of a frame: the named one, or the only one of the grant.
    pub(super) fn app_of(&self, named: &Field<AppId>) -> Option<AppId> {
        match named {
            Field::Valid(app) => Some(app.clone()),
            Field::Malformed => None,
            Field::Absent => match &self.grant()?.reach {
                GrantedApps::Apps(apps) => match apps.as_slice() {
                    [only] => Some(only.clone()),
                    _ => None,
                },
                GrantedApps::Owner(_) => None,
            },
        }
    }
}
