//! What a connection may say and what it is answered: a state machine that touches no socket and no table.
//!
//! Owns the order of things - prove, remember, then answer; subscribe, then replay - and when to stay silent or to
//! close. Refuses to do any of it: it asks its caller one [`Question`] at a time and ends with a [`Verdict`].
//! Ruled by protocol.md §1 and §2, design.md §7.

use crate::frame::control::{ControlFrame, Credential, Request};
use crate::frame::envelope::FrameId;
use crate::frame::outbound::{Dialect, Outbound};
use crate::frame::replay;
use crate::grant::{Grant, Reach, Role, Scope};
use crate::ids::AppId;
use crate::rejection::{Code, Rejection};
use crate::report::Report;
use crate::time::TimestampMs;

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

/// One frame's way through the conversation.
#[derive(Debug)]
pub struct Conversation {
    standing: Standing,
    now: TimestampMs,
    id: Option<FrameId>,
    stage: Stage,
}

/// What the last question was about.
#[derive(Debug)]
enum Stage {
    Proving { app: AppId, credential: Credential },
    CountingRefusal { rejection: Rejection, was_legacy: bool },
    FindingRoom { app: AppId, grant: Grant },
    Remembering { app: AppId, grant: Grant },
    SubscribingPage { app: AppId, grant: Grant },
    Admitting { app: AppId, since: Option<TimestampMs>, min_interval_ms: i64 },
    Subscribing { app: AppId, since: Option<TimestampMs> },
    Replaying { app: AppId, reaches_back: bool },
    Unsubscribing { app: AppId },
    Ended,
}

impl Conversation {
    /// Hears `frame` on a connection of `standing` at `now`.
    pub fn hear(frame: ControlFrame, standing: Standing, now: TimestampMs) -> (Self, Move) {
        let mut conversation = Self { standing, now, id: frame.id, stage: Stage::Ended };
        let first = conversation.begin(frame.request);
        (conversation, first)
    }

    /// Goes on with the answer to the question that was asked last. An answer that does not fit it, or that comes
    /// after the end, counts as a failure of the caller's.
    pub fn learn(&mut self, answer: Answer) -> Move {
        match (std::mem::replace(&mut self.stage, Stage::Ended), answer) {
            (Stage::Proving { app, .. }, Answer::Proved(Ok(grant))) if self.standing.is_fixed => {
                self.confirm(app, grant)
            }
            (Stage::Proving { app, .. }, Answer::Proved(Ok(grant))) => self.settle(app, grant),
            (Stage::FindingRoom { app, grant }, Answer::Done) => self.remember(app, grant),
            (Stage::FindingRoom { grant, .. }, Answer::TooMany) => Move::End(self.turn_away(&grant)),
            (Stage::Proving { credential, .. }, Answer::Proved(Err(rejection))) => {
                let was_legacy = matches!(credential, Credential::LegacyUser(_));
                self.ask(Question::CountRefusal, Stage::CountingRefusal { rejection, was_legacy })
            }
            (Stage::CountingRefusal { rejection, was_legacy }, Answer::Refusals(count)) => {
                Move::End(self.refuse_credential(rejection, was_legacy, count))
            }
            (Stage::Remembering { app, grant }, Answer::Done) => self.welcome(app, grant),
            (Stage::SubscribingPage { app, grant }, Answer::Done) => Move::End(auth_success(app, grant)),
            (Stage::Admitting { app, since, min_interval_ms }, Answer::Allowed(Ok(()))) => {
                let dialect = self.dialect();
                let question = Question::AddSubscription { app: app.clone(), min_interval_ms, dialect };
                self.ask(question, Stage::Subscribing { app, since })
            }
            (Stage::Admitting { .. }, Answer::Allowed(Err(rejection))) => self.refuse(rejection),
            (Stage::Subscribing { app, since }, Answer::Done) => {
                let (from, reaches_back) = replay::replay_start(since, self.now);
                self.ask(
                    Question::ReadRecent { app: app.clone(), from },
                    Stage::Replaying { app, reaches_back },
                )
            }
            (Stage::Subscribing { .. }, Answer::TooMany) => self.refuse(too_many_subscriptions()),
            (Stage::Replaying { app, reaches_back }, Answer::Recent { reports, all }) => {
                let (subscribed, replays) = replay::frames(&app, &reports, reaches_back && all);
                let frames = std::iter::once(subscribed).chain(replays).collect();
                Move::End(Verdict { frames, ..Verdict::default() })
            }
            (Stage::Unsubscribing { app }, Answer::Done) => {
                Move::End(Verdict::say(&Outbound::Unsubscribed { app }))
            }
            (Stage::SubscribingPage { grant, .. }, Answer::TooMany) => Move::End(self.turn_away(&grant)),
            (Stage::Remembering { .. } | Stage::SubscribingPage { .. }, Answer::Gone) => {
                Move::End(Verdict::silence())
            }
            // The route answers by itself: whatever happens, its answer must have a body.
            _ => Move::End(Verdict::say(&Outbound::unavailable(self.id.take()))),
        }
    }

    fn begin(&mut self, request: Request) -> Move {
        match request {
            Request::Ping => Move::End(Verdict::say(&Outbound::Pong)),
            Request::Legacy => Move::End(Verdict::silence()),
            Request::Auth { app, credential } => {
                if self.has_proved(&app, &credential) {
                    return Move::End(Verdict::silence());
                }
                let question = Question::Prove { app: app.clone(), credential: credential.clone() };
                self.ask(question, Stage::Proving { app, credential })
            }
            Request::Subscribe { app, since, min_interval_ms } => {
                self.ask(Question::MayView(app.clone()), Stage::Admitting { app, since, min_interval_ms })
            }
            Request::Unsubscribe { app } if self.standing.grant.is_some() => {
                self.ask(Question::RemoveSubscription(app.clone()), Stage::Unsubscribing { app })
            }
            Request::Unsubscribe { .. } => self.refuse(Rejection::unauthorized()),
        }
    }

    fn ask(&mut self, question: Question, stage: Stage) -> Move {
        self.stage = stage;
        Move::Ask(question)
    }

    fn refuse(&mut self, rejection: Rejection) -> Move {
        let is_of_stranger = self.standing.grant.is_none();
        let refusal = Outbound::Error { rejection, id: self.id.take() };
        Move::End(Verdict { is_of_stranger, ..Verdict::say(&refusal) })
    }

    /// Whether this very legacy credential was accepted before. The dashboard authenticates again after every
    /// answer, so that answering repeats would make it send thousands of frames a second: protocol.md §2, rule 1.
    fn has_proved(&self, app: &AppId, credential: &Credential) -> bool {
        let Some(grant) = self.standing.grant.as_ref().filter(|grant| grant.is_legacy()) else {
            return false;
        };
        let Credential::LegacyUser(user) = credential else { return false };
        grant.user == *user && grant.reach == Reach::Apps(vec![app.clone()])
    }

    fn dialect(&self) -> Dialect {
        let is_legacy = self.standing.grant.as_ref().is_some_and(Grant::is_legacy);
        if is_legacy { Dialect::Legacy } else { Dialect::Modern }
    }

    /// A connection that was authorised at its handshake may prove the same again, and nothing else.
    fn confirm(&mut self, app: AppId, grant: Grant) -> Move {
        if self.standing.grant.as_ref() == Some(&grant) {
            return Move::End(auth_success(app, grant));
        }
        let message = "the connection was authorised at its handshake, for something else";
        self.refuse(Rejection::new(Code::Forbidden, message))
    }

    /// Who proves anew what the connection holds already takes no more room.
    fn settle(&mut self, app: AppId, grant: Grant) -> Move {
        if self.standing.grant.as_ref().is_some_and(|held| held.reach == grant.reach) {
            return self.remember(app, grant);
        }
        self.ask(Question::FindRoom(app.clone()), Stage::FindingRoom { app, grant })
    }

    fn remember(&mut self, app: AppId, grant: Grant) -> Move {
        self.ask(Question::Remember(grant.clone()), Stage::Remembering { app, grant })
    }

    /// The library's process would die of an answer, and its dashboard would ask again at once, so both hear nothing.
    fn turn_away(&mut self, grant: &Grant) -> Verdict {
        if grant.is_legacy() {
            return Verdict::silence();
        }
        let message = "the app has as many connections as it may";
        let rejection = Rejection::new(Code::RateLimited, message).at("data.appId");
        Verdict::say(&Outbound::Error { rejection, id: self.id.take() })
    }

    /// After the grant is kept: a legacy page knows no `subscribe` and is subscribed by its `auth`.
    fn welcome(&mut self, app: AppId, grant: Grant) -> Move {
        if !grant.is_legacy() || grant.scope == Scope::Publish {
            return Move::End(auth_success(app, grant));
        }
        let question =
            Question::AddSubscription { app: app.clone(), min_interval_ms: 0, dialect: Dialect::Legacy };
        self.ask(question, Stage::SubscribingPage { app, grant })
    }

    /// The first wrong credential is answered, later ones are not, and one too many closes the connection. The
    /// library's process would die of an `auth_error`, and a closed library comes back every three seconds, so a
    /// legacy publisher is left alone: protocol.md §2, rule 3.
    fn refuse_credential(&mut self, rejection: Rejection, was_legacy: bool, count: u32) -> Verdict {
        if was_legacy && self.standing.role == Role::Program {
            return Verdict::silence();
        }
        let is_first = count <= 1;
        let frame = match (is_first, was_legacy) {
            (true, true) => Some(Outbound::AuthError),
            (true, false) => Some(Outbound::Error { rejection, id: self.id.take() }),
            (false, _) => None,
        };
        let frames = frame.iter().map(Outbound::render).collect();
        Verdict { frames, close: count >= MAX_AUTH_REFUSALS, is_of_stranger: false }
    }
}

fn auth_success(app: AppId, grant: Grant) -> Verdict {
    Verdict::say(&Outbound::AuthSuccess { app, user: grant.user })
}

fn too_many_subscriptions() -> Rejection {
    let message = format!("a connection watches at most {MAX_SUBSCRIPTIONS} apps");
    Rejection::new(Code::RateLimited, message).at("data.appId")
}

#[cfg(test)]
mod tests;
