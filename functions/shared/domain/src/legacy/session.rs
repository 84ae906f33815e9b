//! What a session row remembers of a connection in the library's dialect: what it proved and what it was answered.
//!
//! Owns the distances between two answers of a kind, and who has been wrong for too long. The row is one for all
//! function instances, so that the number of answers does not depend on theirs. Ruled by protocol.md §2.

use std::collections::BTreeMap;

use crate::grant::{Grant, GrantedApps, Role};
use crate::ids::{AppId, UserId};
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs};

/// Least distance between two attempts of a connection to prove something, in milliseconds: the dashboard tries again
/// after every good `status_response`, one that became right must get in soon, and none may cost much.
pub const ATTEMPT_EVERY_MS: i64 = 10 * SECOND_MS;

/// How long a program may hold nothing but wrong credentials: it is never told, and comes back every three seconds
/// when it is closed.
pub const WRONG_FOR_MS: i64 = 10 * MINUTE_MS;

/// A kind of answer, of which there is at most one in a while on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReplyKind {
    /// `status_response`.
    Status,
    /// `history` and `request_history`.
    History,
    /// `get_last_actions`.
    LastActions,
    /// `command_response`, and the command's way to the publishers.
    Command,
    /// `metrics` in answer to `request_metrics`.
    Metrics,
}

impl ReplyKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Status, Self::History, Self::LastActions, Self::Command, Self::Metrics];

    /// Least distance between two answers of this kind, in milliseconds. A person who turns two switches one after
    /// the other waits a second; all else is asked by timers.
    pub fn every_ms(self) -> i64 {
        match self {
            Self::Command => SECOND_MS,
            Self::Status | Self::History | Self::LastActions | Self::Metrics => 4 * SECOND_MS,
        }
    }
}

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegacySession {
    /// What it has proved.
    pub grant: Option<Grant>,
    /// When it proved that.
    pub welcomed_at: Option<TimestampMs>,
    /// When its first wrong credentials came, of those since it last proved something.
    pub wrong_since: Option<TimestampMs>,
    /// When its last ones came.
    pub wrong_at: Option<TimestampMs>,
    /// When it was last answered, by kind.
    pub answered: BTreeMap<ReplyKind, TimestampMs>,
}

impl LegacySession {
    /// Whether exactly this was proved by the library's `auth`.
    pub fn holds(&self, app: &AppId, user: &UserId) -> bool {
        let legacy = self.grant.as_ref().filter(|grant| grant.is_legacy());
        legacy.is_some_and(|grant| grant.user == *user && grant.reach == GrantedApps::Apps(vec![app.clone()]))
    }

    /// Whether an attempt to prove something at `now` comes too soon after another.
    pub fn has_just_tried(&self, now: TimestampMs) -> bool {
        [self.welcomed_at, self.wrong_at].into_iter().flatten().any(|at| now.ms_since(at) < ATTEMPT_EVERY_MS)
    }

    /// Whether an answer of this kind at `now` comes too soon after another.
    pub fn has_just_answered(&self, kind: ReplyKind, now: TimestampMs) -> bool {
        self.answered.get(&kind).is_some_and(|at| now.ms_since(*at) < kind.every_ms())
    }

    /// Whether a program on this connection has been wrong for too long.
    pub fn is_long_wrong(&self, role: Role, now: TimestampMs) -> bool {
        let wrong_for = self.wrong_since.map(|since| now.ms_since(since));
        role == Role::Program && self.grant.is_none() && wrong_for.is_some_and(|ms| ms >= WRONG_FOR_MS)
    }
}
