//! This protocol's own dialect: `auth` with a secret, `subscribe`, `unsubscribe`, `ping`.
//!
//! Owns the stages between two questions. Refuses the library's types. Ruled by protocol.md §1 and design.md §7.

use super::{Answer, MAX_AUTH_REFUSALS, MAX_SUBSCRIPTIONS, Move, Question, Standing, Verdict};
use crate::frame::control::{ControlFrame, Request};
use crate::frame::envelope::FrameId;
use crate::frame::outbound::{Dialect, Outbound};
use crate::frame::replay;
use crate::grant::Grant;
use crate::ids::AppId;
use crate::rejection::{Code, Rejection};
use crate::time::{MINUTE_MS, TimestampMs};

/// When who found no room may try again, in milliseconds: rows of connections that left without a word are seen to be
/// gone with the next report.
pub const FULL_FOR_MS: i64 = MINUTE_MS;

/// One frame's way through it.
#[derive(Debug)]
pub struct Modern {
    standing: Standing,
    now: TimestampMs,
    id: Option<FrameId>,
    stage: Stage,
}

/// What the last question was about.
#[derive(Debug)]
enum Stage {
    Proving { app: AppId },
    CountingRefusal { rejection: Rejection },
    FindingRoom { app: AppId, grant: Grant },
    Remembering { app: AppId, grant: Grant },
    Admitting { app: AppId, since: Option<TimestampMs>, min_interval_ms: i64 },
    Subscribing { app: AppId, since: Option<TimestampMs> },
    Replaying { app: AppId, reaches_back: bool },
    Unsubscribing { app: AppId },
    Ended,
}

impl Modern {
    pub(super) fn hear(frame: ControlFrame, standing: Standing, now: TimestampMs) -> (Self, Move) {
        let mut conversation = Self { standing, now, id: frame.id, stage: Stage::Ended };
        let first = conversation.begin(frame.request);
        (conversation, first)
    }

    pub(super) fn learn(&mut self, answer: Answer) -> Move {
        match (std::mem::replace(&mut self.stage, Stage::Ended), answer) {
            (Stage::Proving { app }, Answer::Proved(Ok(grant))) if self.standing.is_fixed => {
                self.confirm(app, grant)
            }
            (Stage::Proving { app }, Answer::Proved(Ok(grant))) => self.settle(app, grant),
            (Stage::FindingRoom { app, grant }, Answer::Done) => self.remember(app, grant),
            (Stage::FindingRoom { .. }, Answer::TooMany) => Move::End(self.turn_away()),
            (Stage::Proving { .. }, Answer::Proved(Err(rejection))) => {
                self.ask(Question::CountRefusal, Stage::CountingRefusal { rejection })
            }
            (Stage::CountingRefusal { rejection }, Answer::Refusals(count)) => {
                Move::End(self.refuse_credential(rejection, count))
            }
            (Stage::Remembering { app, grant }, Answer::Done) => {
                Move::End(Verdict::say(&Outbound::AuthSuccess { app, user: grant.user }))
            }
            (Stage::Remembering { .. }, Answer::Gone) => Move::End(Verdict::silence()),
            (Stage::Admitting { app, since, min_interval_ms }, Answer::Allowed(Ok(()))) => {
                self.subscribe(app, since, min_interval_ms)
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
            // The route answers by itself: whatever happens, its answer must have a body.
            _ => Move::End(Verdict::say(&Outbound::unavailable(self.id.take()))),
        }
    }

    fn begin(&mut self, request: Request) -> Move {
        match request {
            Request::Ping => Move::End(Verdict::say(&Outbound::Pong)),
            // These have a dialect of their own.
            Request::Legacy(_) => Move::End(Verdict::silence()),
            Request::Auth { app, credential } => {
                self.ask(Question::Prove { app: app.clone(), credential }, Stage::Proving { app })
            }
            Request::Subscribe { app, since, min_interval_ms } => {
                let grant = self.standing.grant.clone();
                let question = Question::MayWatch { grant, app: app.clone() };
                self.ask(question, Stage::Admitting { app, since, min_interval_ms })
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

    fn subscribe(&mut self, app: AppId, since: Option<TimestampMs>, min_interval_ms: i64) -> Move {
        let Some(grant) = &self.standing.grant else { return self.refuse(Rejection::unauthorized()) };
        let dialect = if grant.is_legacy() { Dialect::Legacy } else { Dialect::Modern };
        let proof = grant.subscription_proof();
        let question = Question::AddSubscription { app: app.clone(), min_interval_ms, dialect, proof };
        self.ask(question, Stage::Subscribing { app, since })
    }

    /// A connection that was authorised at its handshake may prove the same again, and nothing else.
    fn confirm(&mut self, app: AppId, grant: Grant) -> Move {
        if self.standing.grant.as_ref() == Some(&grant) {
            return Move::End(Verdict::say(&Outbound::AuthSuccess { app, user: grant.user }));
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

    fn turn_away(&mut self) -> Verdict {
        let message = "the app has as many connections as it may";
        let rejection = Rejection::new(Code::RateLimited, message).at("data.appId").for_ms(FULL_FOR_MS);
        Verdict::say(&Outbound::Error { rejection, id: self.id.take() })
    }

    /// The first wrong credential is answered, later ones are not, and one too many closes the connection.
    fn refuse_credential(&mut self, rejection: Rejection, count: u32) -> Verdict {
        let refusal = (count <= 1).then(|| Outbound::Error { rejection, id: self.id.take() });
        let frames = refusal.iter().map(Outbound::render).collect();
        Verdict { frames, close: count >= MAX_AUTH_REFUSALS, ..Verdict::default() }
    }
}

fn too_many_subscriptions() -> Rejection {
    let message =
        format!("a connection watches at most {MAX_SUBSCRIPTIONS} apps, unsubscribe from one first");
    Rejection::new(Code::RateLimited, message).at("data.appId")
}
