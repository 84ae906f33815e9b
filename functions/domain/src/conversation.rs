//! What a connection may say and what it is answered: a state machine that touches no socket and no table.
//!
//! Owns the order of things - prove, remember, then answer; subscribe, then replay - and when to stay silent or to
//! close. Refuses to do any of it: it asks its caller one [`Question`] at a time and ends with a [`Verdict`].
//! Ruled by protocol.md §1 and §2, design.md §7.

mod modern;

use crate::frame::control::Credential;
use crate::frame::outbound::{Dialect, Outbound};
use crate::grant::{Grant, Role};
use crate::ids::AppId;
use crate::rejection::Rejection;
use crate::report::Report;
use crate::time::TimestampMs;

pub use modern::Conversation;

/// Wrong credentials after which a connection is closed.
pub const MAX_AUTH_REFUSALS: u32 = 5;

/// Most applications that one connection watches.
pub const MAX_SUBSCRIPTIONS: usize = 50;

/// What is known of a connection before its frame is heard.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What it may do, where it has proved anything.
    pub grant: Option<Grant>,
    /// Whether the grant was given at the handshake: such a one holds for the whole connection.
    pub is_fixed: bool,
    /// Which side it is on.
    pub role: Role,
}

/// What the conversation needs to know or to have done before it can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What does `credential` prove for `app`? Answered by [`Answer::Proved`].
    Prove {
        /// The application that is named.
        app: AppId,
        /// The proof that is offered.
        credential: Credential,
    },
    /// May `app` have one more connection? Answered by [`Answer::Done`] or [`Answer::TooMany`].
    FindRoom(AppId),
    /// Keep the grant for the connection's later frames, and who publishes for what. Answered by [`Answer::Done`] or [`Answer::Gone`].
    Remember(Grant),
    /// Count a wrong credential. Answered by [`Answer::Refusals`] with the count, this one included.
    CountRefusal,
    /// May the connection watch `app`? Answered by [`Answer::Allowed`].
    MayView(AppId),
    /// Keep a subscription. Answered by [`Answer::Done`], [`Answer::TooMany`] or [`Answer::Gone`].
    AddSubscription {
        /// What is watched.
        app: AppId,
        /// Least distance between two live frames, in milliseconds.
        min_interval_ms: i64,
        /// How its frames are written.
        dialect: Dialect,
    },
    /// End a subscription, there or not. Answered by [`Answer::Done`].
    RemoveSubscription(AppId),
    /// The newest reports of `app` stamped `from` or later. Answered by [`Answer::Recent`].
    ReadRecent {
        /// The application.
        app: AppId,
        /// The earliest stamp.
        from: TimestampMs,
    },
}

/// What the caller found out or did.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The grant that a credential proves, or why it proves none.
    Proved(Result<Grant, Rejection>),
    /// Done.
    Done,
    /// The connection is no longer there.
    Gone,
    /// Another one would be too many.
    TooMany,
    /// Wrong credentials on this connection so far.
    Refusals(u32),
    /// Whether the connection may do it.
    Allowed(Result<(), Rejection>),
    /// Recent reports, oldest first, and whether they are all that were asked for.
    Recent {
        /// The reports.
        reports: Vec<Report>,
        /// False where there were more.
        all: bool,
    },
    /// It could not be done, by a fault of ours.
    Failed,
}

/// How a frame ends: what is sent, in this order, and whether the connection is closed after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Rendered frames.
    pub frames: Vec<String>,
    /// Whether the connection is closed.
    pub close: bool,
    /// Whether this refuses a frame of one who has proved nothing: the caller counts these. An `auth` is not among
    /// them, nor what the library sends.
    pub is_of_stranger: bool,
}

impl Verdict {
    fn say(frame: &Outbound) -> Self {
        Self { frames: vec![frame.render()], ..Self::default() }
    }

    fn silence() -> Self {
        Self::default()
    }
}

/// The next thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// The caller is asked.
    Ask(Question),
    /// The frame is dealt with.
    End(Verdict),
}

#[cfg(test)]
mod tests;
