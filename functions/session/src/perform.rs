//! Does what the conversation asks for.
//!
//! Owns the one place where a question becomes calls; `legacy` has those of the library's dialect. Decides nothing; a
//! fault is logged and answered as `Failed`.

mod legacy;

use nsl_auth::prove::{ProofContext, prove};
use nsl_aws::event::SocketEvent;
use nsl_aws::fault::Fault;
use nsl_aws::sessions::Updated;
use nsl_aws::subscriptions::{Added, Subscriber};
use nsl_domain::app::{App, MAX_CONNECTIONS};
use nsl_domain::conversation::{Answer, FULL_FOR_MS, Question};
use nsl_domain::frame::control::Credential;
use nsl_domain::frame::outbound::Dialect;
use nsl_domain::frame::replay::MAX_REPLAY_REPORTS;
use nsl_domain::grant::{Action, Grant, authorise};
use nsl_domain::ids::AppId;
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::TimestampMs;

use crate::handler::Session;

impl Session {
    /// The answer to `question` about the connection of `event`.
    pub(crate) async fn perform(&self, question: Question, event: &SocketEvent) -> Answer {
        let attempt = match question {
            Question::Prove { app, credential } => self.prove(&app, &credential, event).await,
            Question::FindRoom(app) => {
                let has_room = self.has_room(&app, event.arrival).await;
                has_room.map(|has_room| if has_room { Answer::Done } else { Answer::TooMany })
            }
            Question::Remember(grant) => self.remember(&grant, event).await,
            Question::CountRefusal => self.count_refusal(event).await,
            Question::May { grant, action, app } => {
                self.judged(grant.as_ref(), action, &app, event).await.map(Answer::Allowed)
            }
            Question::MayWatch { grant, app } => self.may_watch(grant.as_ref(), &app, event).await,
            Question::AddSubscription { app, min_interval_ms, dialect, proof } => {
                let subscriber =
                    Subscriber { connection: event.connection.clone(), min_interval_ms, dialect, proof };
                self.subscribe(&app, &subscriber, event).await
            }
            Question::RemoveSubscription(app) => {
                self.subscriptions.remove(&app, &event.connection).await.map(|()| Answer::Done)
            }
            Question::ReadRecent { app, from } => self.read_recent(&app, from, event).await,
            of_the_library => self.perform_legacy(of_the_library, event).await,
        };
        attempt.unwrap_or_else(|fault| {
            tracing::error!(connection = %event.connection, reason = fault.chain(), "frame not dealt with");
            Answer::Failed
        })
    }

    async fn prove(
        &self,
        app: &AppId,
        credential: &Credential,
        event: &SocketEvent,
    ) -> Result<Answer, Fault> {
        let known = self.app_cache.fetch(app, event.arrival).await?;
        let context = ProofContext { trusted: &self.trusted, role: event.role, now: event.arrival };
        let proved = prove(credential, known.as_deref(), context);
        if proved.is_err() {
            // Of an app that nobody registered the name may be a credential in the wrong place.
            let app = known.as_deref().map(|known| known.id.as_str());
            tracing::warn!(connection = %event.connection, app, address = event.address, "credential refused");
        }
        Ok(Answer::Proved(proved))
    }

    /// The session row first: it names the publisher's rows, for `$disconnect`.
    async fn remember(&self, grant: &Grant, event: &SocketEvent) -> Result<Answer, Fault> {
        match self.sessions.store_grant(&event.connection, grant).await? {
            Updated::Gone => Ok(Answer::Gone),
            Updated::Done => {
                self.publishers.add(grant.publishes(), &event.connection, event.arrival).await?;
                Ok(Answer::Done)
            }
        }
    }

    /// A page of the published dashboard is subscribed by its `auth`: whether there is room among the connections was
    /// asked, whether among subscriptions was not.
    async fn subscribe(
        &self,
        app: &AppId,
        subscriber: &Subscriber,
        event: &SocketEvent,
    ) -> Result<Answer, Fault> {
        if subscriber.dialect == Dialect::Legacy {
            let known = self.app_cache.cached(app, event.arrival).await?;
            let has_own_limit = known.is_some_and(|known| known.limits.subscriptions.is_some());
            if has_own_limit && !self.may_watch_one_more(app, event).await? {
                return Ok(Answer::TooMany);
            }
        }
        Ok(match self.subscriptions.add(app, subscriber, event.arrival).await? {
            Added::Done => Answer::Done,
            Added::Refused => Answer::TooMany,
        })
    }

    /// Whether `app` may have one more subscription. A viewer has no row before, so that this is where it is counted.
    async fn may_watch_one_more(&self, app: &AppId, event: &SocketEvent) -> Result<bool, Fault> {
        let known = self.app_cache.cached(app, event.arrival).await?;
        let most = known.map_or(MAX_CONNECTIONS, |known| known.max_subscriptions());
        self.publishers.has_subscription_room(app, &event.connection, most, event.arrival).await
    }

    async fn count_refusal(&self, event: &SocketEvent) -> Result<Answer, Fault> {
        let count = self.sessions.count_rejection(&event.connection, event.arrival).await?;
        tracing::warn!(connection = %event.connection, count, "wrong credentials");
        Ok(count.map_or(Answer::Gone, Answer::Refusals))
    }

    /// Whether `grant` allows `action` on `app`. A stranger costs no read.
    async fn judged(
        &self,
        grant: Option<&Grant>,
        action: Action,
        app: &AppId,
        event: &SocketEvent,
    ) -> Result<Result<(), Rejection>, Fault> {
        let judge = |known: Option<&App>| authorise(grant, action, known, event.arrival);
        Ok(match grant {
            Some(_) => self.app_cache.authorise(app, event.arrival, judge).await?.map(drop),
            None => judge(None),
        })
    }

    async fn may_watch(
        &self,
        grant: Option<&Grant>,
        app: &AppId,
        event: &SocketEvent,
    ) -> Result<Answer, Fault> {
        let judged = self.judged(grant, Action::View, app, event).await?;
        if judged.is_ok() && !self.may_watch_one_more(app, event).await? {
            let message = "the app has as many subscriptions as it may";
            let rejection = Rejection::new(Code::RateLimited, message).at("data.appId").for_ms(FULL_FOR_MS);
            return Ok(Answer::Allowed(Err(rejection)));
        }
        Ok(Answer::Allowed(judged))
    }

    async fn read_recent(
        &self,
        app: &AppId,
        from: TimestampMs,
        event: &SocketEvent,
    ) -> Result<Answer, Fault> {
        let Some(known) = self.app_cache.cached(app, event.arrival).await? else {
            return Ok(Answer::Recent { reports: Vec::new(), all: true });
        };
        let (reports, all) = self.reports.recent(&known, from, event.arrival, MAX_REPLAY_REPORTS).await?;
        Ok(Answer::Recent { reports, all })
    }
}
