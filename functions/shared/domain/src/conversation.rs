//! What a connection may say and what it is answered: state machines that touch no socket and no table.
//!
//! Owns the order of things - prove, remember, then answer; subscribe, then replay - and when to stay silent or to
//! close: `modern` for this protocol, `legacy` for the published library's. Refuses to do any of it: it asks its caller
//! one [`Question`] at a time and ends with a [`Verdict`]. Ruled by protocol.md §1 and §2, design.md §7.

pub mod connection_cache;
mod modern;

use std::sync::Arc;

use crate::app::App;
use crate::frame::control::{ControlFrame, Credential};
use crate::frame::outbound::{Dialect, Outbound};
use crate::grant::{Action, Grant, Role, SubscriptionProof};
use crate::ids::AppId;
use crate::legacy::command::IssuedCommand;
use crate::rejection::Rejection;
use crate::report::Report;
use crate::time::TimestampMs;

use crate::legacy::conversation::Legacy;
use crate::legacy::session::{LegacySession, ReplyKind};
pub use modern::FULL_FOR_MS;

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
    /// May the holder of `grant` do `action` to `app`? Answered by [`Answer::Allowed`].
    May {
        /// What the connection has proved.
        grant: Option<Grant>,
        /// What it wants to do.
        action: Action,
        /// To what.
        app: AppId,
    },
    /// May the holder of `grant` watch `app`, and is there room? Answered by [`Answer::Allowed`].
    MayWatch {
        /// What the connection has proved.
        grant: Option<Grant>,
        /// What it wants to watch.
        app: AppId,
    },
    /// Keep a subscription. Answered by [`Answer::Done`], [`Answer::TooMany`] or [`Answer::Gone`].
    AddSubscription {
        /// What is watched.
        app: AppId,
        /// Least distance between two live frames, in milliseconds.
        min_interval_ms: i64,
        /// How its frames are written.
        dialect: Dialect,
        /// What it stands on.
        proof: SubscriptionProof,
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
    /// What does the session row remember? Answered by [`Answer::Recalled`] or [`Answer::Gone`].
    Recall,
    /// May an answer of this kind be given, as the only one for a while? Answered by [`Answer::Claimed`],
    /// [`Answer::Repeated`] or [`Answer::Gone`].
    Claim(ReplyKind),
    /// Keep a legacy grant, unless it is kept already. Answered by [`Answer::Done`], or [`Answer::Gone`] where there
    /// was nothing to do.
    Welcome(Grant),
    /// End what an earlier legacy grant brought: watching `app`, or being told its commands. Answered by
    /// [`Answer::Done`].
    Leave(AppId),
    /// What is registered of an application? Answered by [`Answer::App`].
    FindApp(AppId),
    /// The last known report of an application. Answered by [`Answer::Last`].
    ReadLast(AppId),
    /// The newest log entries of an application. Answered by [`Answer::Logs`].
    ReadLogs(AppId),
    /// Keep log entries. Answered by [`Answer::Done`].
    KeepLogs {
        /// Of which application.
        app: AppId,
        /// The entries, each a JSON object.
        entries: Vec<String>,
    },
    /// Post frames to everyone who watches `app`. Answered by [`Answer::Done`], whoever could be reached.
    TellViewers {
        /// The application.
        app: AppId,
        /// The frames, the same in both dialects.
        frames: Vec<String>,
    },
    /// The commands that hold for an application. Answered by [`Answer::Commands`].
    ReadCommands(AppId),
    /// Keep a command in place of the last one of its switch. Answered by [`Answer::Done`].
    KeepCommand {
        /// For which application.
        app: AppId,
        /// The command.
        given: IssuedCommand,
    },
    /// Post a frame to everyone who may report for `app`. Answered by [`Answer::Done`], whoever could be reached.
    TellPublishers {
        /// The application.
        app: AppId,
        /// The frame.
        frame: String,
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
    /// What the session row remembers.
    Recalled(LegacySession),
    /// The answer may be given, and no other of its kind for a while.
    Claimed(LegacySession),
    /// One of its kind was given a short while ago.
    Repeated(LegacySession),
    /// An application, where there is one.
    App(Option<Arc<App>>),
    /// The last known report, where there is one.
    Last(Option<Report>),
    /// Log entries, oldest first.
    Logs(Vec<String>),
    /// Commands, oldest first.
    Commands(Vec<IssuedCommand>),
    /// It could not be done, by a fault of ours.
    Failed,
}

/// What is counted of a frame's end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// The frame was left unanswered because it repeats what was answered.
    pub absorbed: bool,
    /// It was a wrong credential of a program, which hears nothing of it.
    pub silenced: bool,
    /// Log entries that were not kept.
    pub dropped_logs: u64,
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
    /// What is counted of it.
    pub tally: Tally,
}

impl Verdict {
    pub(crate) fn say(frame: &Outbound) -> Self {
        Self { frames: vec![frame.render()], ..Self::default() }
    }

    pub(crate) fn silence() -> Self {
        Self::default()
    }

    /// A frame that repeats what was answered.
    pub fn absorbed() -> Self {
        Self { tally: Tally { absorbed: true, ..Tally::default() }, ..Self::default() }
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

/// What is known of a connection before a frame of the library's dialect is heard.
#[derive(Debug, Clone)]
pub struct Familiarity {
    /// Which side it is on.
    pub role: Role,
    /// What its handshake granted.
    pub fixed: Option<Grant>,
    /// What this function instance remembers of it.
    pub remembered: Option<LegacySession>,
    /// How many log entries it may send now.
    pub log_room: usize,
}

/// One frame's way through the conversation, in its dialect.
#[derive(Debug)]
pub enum Conversation {
    /// In this protocol.
    Modern(Box<modern::Modern>),
    /// In the library's.
    Legacy(Box<Legacy>),
}

impl Conversation {
    /// Hears `frame` on a connection of `standing` at `now`.
    pub fn hear(frame: ControlFrame, standing: Standing, now: TimestampMs) -> (Self, Move) {
        let (modern, first) = modern::Modern::hear(frame, standing, now);
        (Self::Modern(Box::new(modern)), first)
    }

    /// Hears a frame of the library's dialect.
    pub fn hear_legacy(frame: ControlFrame, familiarity: Familiarity, now: TimestampMs) -> (Self, Move) {
        let (legacy, first) = Legacy::hear(frame.request, familiarity, now);
        (Self::Legacy(Box::new(legacy)), first)
    }

    /// Goes on with the answer to the question that was asked last. An answer that does not fit it, or that comes
    /// after the end, counts as a failure of the caller's.
    pub fn learn(&mut self, answer: Answer) -> Move {
        match self {
            Self::Modern(modern) => modern.learn(answer),
            Self::Legacy(legacy) => legacy.learn(answer),
        }
    }

    /// What a function instance should remember of the connection, where this frame taught it anything.
    pub fn remembered(&self) -> Option<&LegacySession> {
        match self {
            Self::Modern(_) => None,
            Self::Legacy(legacy) => legacy.remembered(),
        }
    }
}

#[cfg(test)]
mod tests;
