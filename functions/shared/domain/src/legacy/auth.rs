//! The library's `auth`: once proved, once answered, and never a word to a program that is wrong.
//!
//! A page knows no `subscribe` and is subscribed before it is welcomed; it waits for a first report, so the last known
//! one follows at once. Ruled by protocol.md §2, rules 1, 3, 5 and 7.

use super::conversation::Listener;
use crate::conversation::{Answer, MAX_AUTH_REFUSALS, Move, Question, Tally, Verdict};
use crate::frame::control::Credential;
use crate::frame::outbound::{Dialect, Outbound, live_frame};
use crate::grant::{Grant, GrantedApps, Role};
use crate::ids::{AppId, Scope, UserId};
use crate::report::Report;

/// One `auth`.
#[derive(Debug)]
pub(super) struct Admission {
    app: AppId,
    user: UserId,
    stage: Stage,
}

/// What the last question was about.
#[derive(Debug)]
enum Stage {
    Recalling,
    Proving,
    CountingRefusal,
    FindingRoom(Grant),
    Leaving(Grant),
    Subscribing(Grant),
    Welcoming(Grant),
    ReadingLast,
    Ended,
}

impl Admission {
    /// Absorbs the frame if this instance knows enough, or else asks the session row.
    pub(super) fn begin(app: AppId, user: UserId, listener: &mut Listener) -> (Self, Move) {
        let mut admission = Self { app, user, stage: Stage::Ended };
        let known = admission.judge(listener);
        let first = known.unwrap_or_else(|| admission.ask(Question::Recall, Stage::Recalling));
        (admission, first)
    }

    pub(super) fn learn(&mut self, answer: Answer, listener: &mut Listener) -> Move {
        match (std::mem::replace(&mut self.stage, Stage::Ended), answer) {
            (Stage::Recalling, Answer::Recalled(remembered)) => {
                listener.remembered = Some(remembered);
                self.judge(listener).unwrap_or_else(|| self.prove())
            }
            (Stage::Proving, Answer::Proved(Ok(grant))) => self.settle(grant, listener),
            (Stage::Proving, Answer::Proved(Err(_))) => {
                self.ask(Question::CountRefusal, Stage::CountingRefusal)
            }
            (Stage::CountingRefusal, Answer::Refusals(count)) => refuse(count, listener),
            (Stage::FindingRoom(grant), Answer::Done) => self.leave(grant, listener),
            (Stage::FindingRoom(_) | Stage::Subscribing(_), Answer::TooMany) => {
                // Neither side would understand; the next attempt is heard when this one is old.
                note_wrong(listener);
                Move::End(Verdict::silence())
            }
            (Stage::Leaving(grant), Answer::Done) => self.subscribe(grant),
            (Stage::Subscribing(grant), Answer::Done) => self.welcome(grant),
            (Stage::Welcoming(grant), Answer::Done) => self.answer(grant, listener),
            (Stage::Welcoming(_), Answer::Gone) => Move::End(Verdict::absorbed()),
            (Stage::ReadingLast, answer) => Move::End(self.success(match answer {
                Answer::Last(last) => last,
                _ => None,
            })),
            // A fault of ours, or the end of the connection. The dashboard tries again by itself.
            _ => Move::End(Verdict::silence()),
        }
    }

    /// The end of a frame whose fate is known: it repeats, comes too soon, or was wrong for too long.
    fn judge(&self, listener: &Listener) -> Option<Move> {
        let remembered = listener.remembered.as_ref()?;
        if let Some(dismissal) = listener.dismissal() {
            return Some(dismissal);
        }
        let is_known = remembered.holds(&self.app, &self.user) || remembered.has_just_tried(listener.now);
        is_known.then(|| Move::End(Verdict::absorbed()))
    }

    fn ask(&mut self, question: Question, stage: Stage) -> Move {
        self.stage = stage;
        Move::Ask(question)
    }

    fn prove(&mut self) -> Move {
        let credential = Credential::LegacyUser(self.user.clone());
        self.ask(Question::Prove { app: self.app.clone(), credential }, Stage::Proving)
    }

    /// Who holds the application already, by whatever proof, takes no more room.
    fn settle(&mut self, grant: Grant, listener: &Listener) -> Move {
        if listener.grant().is_some_and(|held| held.reach == grant.reach) {
            return self.leave(grant, listener);
        }
        self.ask(Question::FindRoom(self.app.clone()), Stage::FindingRoom(grant))
    }

    /// Who changes from one application to another is done with the first.
    fn leave(&mut self, grant: Grant, listener: &Listener) -> Move {
        let held = listener.grant().filter(|held| held.is_legacy());
        let left = held.and_then(|held| match &held.reach {
            GrantedApps::Apps(apps) => apps.iter().find(|app| **app != self.app).cloned(),
            GrantedApps::Owner(_) => None,
        });
        match left {
            Some(app) => self.ask(Question::Leave(app), Stage::Leaving(grant)),
            None => self.subscribe(grant),
        }
    }

    fn subscribe(&mut self, grant: Grant) -> Move {
        if grant.scope == Scope::Publish {
            return self.welcome(grant);
        }
        let app = self.app.clone();
        let (dialect, proof) = (Dialect::Legacy, grant.subscription_proof());
        let question = Question::AddSubscription { app, min_interval_ms: 0, dialect, proof };
        self.ask(question, Stage::Subscribing(grant))
    }

    /// The one conditional write after which exactly one `auth` of several at once is answered.
    fn welcome(&mut self, grant: Grant) -> Move {
        self.ask(Question::Welcome(grant.clone()), Stage::Welcoming(grant))
    }

    fn answer(&mut self, grant: Grant, listener: &mut Listener) -> Move {
        let is_page = grant.scope != Scope::Publish;
        let remembered = listener.remembered.get_or_insert_default();
        remembered.grant = Some(grant);
        remembered.welcomed_at = Some(listener.now);
        remembered.wrong_since = None;
        remembered.wrong_at = None;
        if is_page {
            return self.ask(Question::ReadLast(self.app.clone()), Stage::ReadingLast);
        }
        Move::End(self.success(None))
    }

    fn success(&self, last: Option<Report>) -> Verdict {
        let welcome = Outbound::AuthSuccess { app: self.app.clone(), user: self.user.clone() };
        let report = last.and_then(|report| live_frame(&report, Dialect::Legacy));
        let frames = std::iter::once(welcome.render()).chain(report).collect();
        Verdict { frames, ..Verdict::default() }
    }
}

fn note_wrong(listener: &mut Listener) {
    let now = listener.now;
    let remembered = listener.remembered.get_or_insert_default();
    remembered.wrong_since.get_or_insert(now);
    remembered.wrong_at = Some(now);
}

/// A page is told once and closed when it keeps guessing. The library throws on an `auth_error` and its host dies, so
/// a program hears nothing and is left alone.
fn refuse(count: u32, listener: &mut Listener) -> Move {
    note_wrong(listener);
    if listener.role == Role::Program {
        let tally = Tally { silenced: true, ..Tally::default() };
        return Move::End(Verdict { tally, ..Verdict::default() });
    }
    let frames = if count <= 1 { vec![Outbound::AuthError.render()] } else { Vec::new() };
    Move::End(Verdict { frames, close: count >= MAX_AUTH_REFUSALS, ..Verdict::default() })
}
