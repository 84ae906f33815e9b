//! The dialect of the published library and its dashboard, which cannot be changed and ask for ever.
//!
//! Owns silence: what was answered is not answered again, what is wrong is not told to a program, and no fault of ours
//! is told to anyone, for their code dies of some answers and repeats itself after others. `admission` owns `auth`,
//! `errand` everything else. Ruled by protocol.md §2.

use super::auth::Admission;
use super::request_flow::Errand;
use super::session::LegacySession;
use crate::conversation::{Answer, Familiarity, Move, Verdict};
use crate::frame::control::{Credential, Request};
use crate::grant::{Grant, Role};
use crate::time::TimestampMs;

/// One frame's way through it.
#[derive(Debug)]
pub struct Legacy {
    listener: Listener,
    business: Business,
    /// Whether the session row was read for this frame, so that what is remembered is news.
    has_read: bool,
}

/// Who speaks, and what is known of it so far.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) role: Role,
    pub(super) fixed: Option<Grant>,
    pub(super) remembered: Option<LegacySession>,
    pub(super) now: TimestampMs,
}

/// What the frame is about.
#[derive(Debug)]
enum Business {
    Admission(Admission),
    Errand(Errand),
    Nothing,
}

impl Legacy {
    pub(crate) fn hear(request: Request, familiarity: Familiarity, now: TimestampMs) -> (Self, Move) {
        let Familiarity { role, fixed, remembered, log_room } = familiarity;
        let mut listener = Listener { role, fixed, remembered, now };
        let (business, first) = match request {
            Request::Auth { app, credential: Credential::LegacyUser(user) } => {
                let (admission, first) = Admission::begin(app, user, &mut listener);
                (Business::Admission(admission), first)
            }
            Request::Legacy(request) => {
                let (errand, first) = Errand::begin(request, log_room, &mut listener);
                (Business::Errand(errand), first)
            }
            // These have a dialect of their own.
            _ => (Business::Nothing, Move::End(Verdict::silence())),
        };
        (Self { listener, business, has_read: false }, first)
    }

    pub(crate) fn learn(&mut self, answer: Answer) -> Move {
        self.has_read |= matches!(answer, Answer::Recalled(_) | Answer::Claimed(_) | Answer::Repeated(_));
        match &mut self.business {
            Business::Admission(admission) => admission.learn(answer, &mut self.listener),
            Business::Errand(errand) => errand.learn(answer, &mut self.listener),
            Business::Nothing => Move::End(Verdict::silence()),
        }
    }

    pub(crate) fn remembered(&self) -> Option<&LegacySession> {
        self.listener.remembered.as_ref().filter(|_| self.has_read)
    }
}

impl Listener {
    /// What the connection may do, as far as that is known.
    pub(super) fn grant(&self) -> Option<&Grant> {
        self.fixed.as_ref().or_else(|| self.remembered.as_ref()?.grant.as_ref())
    }

    /// The end of a program that was wrong for ten minutes, where that is so.
    pub(super) fn dismissal(&self) -> Option<Move> {
        let is_long_wrong = self.remembered.as_ref()?.is_long_wrong(self.role, self.now);
        (is_long_wrong && self.fixed.is_none())
            .then(|| Move::End(Verdict { close: true, ..Verdict::silence() }))
    }
}
