//! What the session row stores of a connection in the library's dialect: its grant, and when it was answered.
//!
//! All function instances share the row, so that the number of replies does not depend on the number of instances.

use std::collections::{BTreeMap, BTreeSet};

use super::notice::Notice;
use crate::dialect::Dialect;
use crate::frame::control::Credential;
use crate::grant::{Grant, GrantedApps, Proof, Role};
use crate::ids::{AppId, KeyHash, KeyId};
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs};

/// Shortest time between two checked `auth` of a connection, or two checks of the ids of its other frames, in milliseconds:
/// the dashboard tries again after every `status_response` of an active app, the library sends two reports a second, and
/// a connection whose credentials became correct must be accepted soon.
pub const ATTEMPT_EVERY_MS: i64 = 10 * SECOND_MS;

/// How long a program with wrong credentials stays connected. It reconnects every three seconds when it is closed.
pub const WRONG_FOR_MS: i64 = 10 * MINUTE_MS;

/// A kind of reply. A connection gets at most one within [`ReplyKind::every_ms`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReplyKind {
    /// `status_response`.
    Status,
    /// `history` and `request_history`.
    History,
    /// `get_last_actions`.
    LastActions,
    /// `command_response`, and the command to the publishers.
    Command,
    /// `metrics` in reply to `request_metrics`.
    Metrics,
}

impl ReplyKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Status, Self::History, Self::LastActions, Self::Command, Self::Metrics];

    /// Shortest time between two replies of this kind, in milliseconds. A person who clicks two switches in a row waits
    /// a second; timers send everything else.
    pub fn every_ms(self) -> i64 {
        match self {
            Self::Command => SECOND_MS,
            Self::Status | Self::History | Self::LastActions | Self::Metrics => 4 * SECOND_MS,
        }
    }
}

/// The result of claiming a reply, with the session row as it is after that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The caller may send the reply; no other instance may within [`ReplyKind::every_ms`].
    Claimed(LegacySession),
    /// A reply of this kind was sent within [`ReplyKind::every_ms`].
    AlreadyClaimed(LegacySession),
    /// The connection is gone.
    Gone,
}

/// The part of a session row that the library's dialect uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegacySession {
    /// The grant of the last successful `auth`.
    pub grant: Option<Grant>,
    /// When an `auth` in this dialect last succeeded.
    pub authenticated_at: Option<TimestampMs>,
    /// When the first wrong credentials arrived since the last accepted ones.
    pub wrong_since: Option<TimestampMs>,
    /// When the last `auth` with wrong credentials arrived.
    pub wrong_at: Option<TimestampMs>,
    /// When the ids of another frame were last checked.
    pub checked_at: Option<TimestampMs>,
    /// When it was last answered, by kind.
    pub answered: BTreeMap<ReplyKind, TimestampMs>,
    /// What it was notified of.
    pub notified: BTreeSet<Notice>,
    /// Whether the connection has ended.
    pub is_ended: bool,
}

impl LegacySession {
    /// That of a connection of which nothing is known.
    pub(super) const NONE: Self = Self {
        grant: None,
        authenticated_at: None,
        wrong_since: None,
        wrong_at: None,
        checked_at: None,
        answered: BTreeMap::new(),
        notified: BTreeSet::new(),
        is_ended: false,
    };

    /// That of a connection whose row is deleted.
    pub fn ended() -> Self {
        Self { is_ended: true, ..Self::NONE }
    }

    /// Whether the grant is what this `auth` of the library proved. Never of a token, whose text is not stored.
    pub fn has_proved(&self, app: &AppId, credential: &Credential) -> bool {
        let grant = self.grant.as_ref().filter(|grant| grant.dialect() == Dialect::Legacy);
        grant.is_some_and(|grant| {
            let is_proof = match (credential, &grant.proof) {
                (Credential::LegacyUser(user), Proof::Legacy) => grant.user.as_str() == user.as_str(),
                (Credential::ApiKey(key), Proof::Key(id)) => *id == KeyId::of_hash(KeyHash::of(key)),
                _ => false,
            };
            is_proof && grant.reach == GrantedApps::Apps(vec![app.clone()])
        })
    }

    /// Whether an `auth` at `now` comes too soon after another.
    pub fn attempted_recently(&self, now: TimestampMs) -> bool {
        is_any_recent([self.authenticated_at, self.wrong_at], now)
    }

    /// Whether the ids of a frame other than `auth` come too soon after others at `now`. They never cost the connection
    /// its `auth`, which the library sends once.
    pub(super) fn checked_recently(&self, now: TimestampMs) -> bool {
        is_any_recent([self.checked_at, self.wrong_at], now)
    }

    /// Whether a reply of this kind at `now` comes too soon after another.
    pub fn answered_recently(&self, kind: ReplyKind, now: TimestampMs) -> bool {
        self.answered.get(&kind).is_some_and(|at| now.ms_since(*at) < kind.every_ms())
    }

    /// Whether this is a program whose credentials have been wrong for too long.
    pub fn rejection_timed_out(&self, role: Role, now: TimestampMs) -> bool {
        let wrong_for = self.wrong_since.map(|since| now.ms_since(since));
        role == Role::Program && self.grant.is_none() && wrong_for.is_some_and(|ms| ms >= WRONG_FOR_MS)
    }

    /// Notes a successful `auth`.
    pub(super) fn accept(&mut self, grant: Grant, now: TimestampMs) {
        self.grant = Some(grant);
        self.authenticated_at = Some(now);
        self.wrong_since = None;
        self.wrong_at = None;
        self.checked_at = None;
    }

    /// Notes that a frame other than `auth` was accepted.
    pub(super) fn admit(&mut self, grant: Grant, now: TimestampMs) {
        self.grant = Some(grant);
        self.checked_at = Some(now);
        self.wrong_since = None;
        self.wrong_at = None;
    }

    /// Notes wrong credentials.
    pub(super) fn note_wrong(&mut self, now: TimestampMs) {
        self.wrong_since.get_or_insert(now);
        self.wrong_at = Some(now);
    }
}

fn is_any_recent<const N: usize>(attempts: [Option<TimestampMs>; N], now: TimestampMs) -> bool {
    attempts.into_iter().flatten().any(|at| now.ms_since(at) < ATTEMPT_EVERY_MS)
}
