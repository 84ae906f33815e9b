//! The effects of this protocol's own conversation, over the tables: what each costs is in docs/DATA_MODEL.md, and
//! asserted by the cost tests.

use nsl_auth::prove::{ProofContext, prove};
use nsl_aws::event::SocketEvent;
use nsl_aws::fault::Fault;
use nsl_aws::sessions::Updated;
use nsl_aws::subscriptions::{Added, Subscriber};
use nsl_domain::app::{App, DEFAULT_MAX_CONNECTIONS};
use nsl_domain::conversation::effects::{BaseEffects, EffectError, Effects, Subscribed};
use nsl_domain::dialect::Dialect;
use nsl_domain::frame::control::Credential;
use nsl_domain::frame::replay::MAX_REPLAY_REPORTS;
use nsl_domain::grant::{Action, Grant, authorise};
use nsl_domain::ids::AppId;
use nsl_domain::report::RecentReports;
use nsl_domain::time::TimestampMs;

use crate::session::Session;

/// The effects of one frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameEffects<'a> {
    pub(crate) session: &'a Session,
    pub(crate) event: &'a SocketEvent,
}

impl FrameEffects<'_> {
    pub(crate) fn proof_context(&self) -> ProofContext<'_> {
        let Self { session, event } = self;
        ProofContext { trusted: &session.trusted, role: event.role, now: event.arrival }
    }

    /// Only a registered app is named: any other name may be a credential in the wrong place.
    pub(crate) fn log_refused_credential(&self, known: Option<&App>) {
        let SocketEvent { connection, address, .. } = self.event;
        let app = known.map(|known| known.id.as_str());
        tracing::warn!(%connection, app, address, "credential refused");
    }
}

impl BaseEffects for FrameEffects<'_> {
    type Fault = Fault;

    fn log_fault(&self, fault: Fault) {
        tracing::error!(connection = %self.event.connection, reason = fault.chain(), "frame failed");
    }

    async fn has_connection_room(&self, app: &AppId) -> Result<bool, Fault> {
        self.admission().has_connection_room(app).await
    }
}

impl Effects for FrameEffects<'_> {
    async fn prove(&self, app: &AppId, credential: &Credential) -> Result<Grant, EffectError<Fault>> {
        let known = self.session.app_cache.fetch(app, self.event.arrival).await?;
        prove(credential, known.as_deref(), self.proof_context()).map_err(|rejection| {
            self.log_refused_credential(known.as_deref());
            EffectError::Rejected(rejection)
        })
    }

    async fn count_rejection(&self) -> Result<Option<u32>, Fault> {
        let Self { session, event } = self;
        let count = session.sessions.count_rejection(&event.connection, event.arrival).await?;
        tracing::warn!(connection = %event.connection, count, "wrong credentials");
        Ok(count)
    }

    /// The session row first: it lists the publisher's rows, for `$disconnect`.
    async fn store_grant(&self, grant: &Grant) -> Result<bool, Fault> {
        let Self { session, event } = self;
        match session.sessions.store_grant(&event.connection, grant, event.arrival).await? {
            Updated::Gone => Ok(false),
            // A later `auth` was faster. Both are right and confirmed, and the later one stays.
            Updated::Overtaken => Ok(true),
            Updated::Done => {
                session.add_publisher(grant, event).await?;
                Ok(true)
            }
        }
    }

    async fn authorise(&self, grant: &Grant, action: Action, app: &AppId) -> Result<(), EffectError<Fault>> {
        let now = self.event.arrival;
        let check = |known: Option<&App>| authorise(Some(grant), action, known, now);
        let authorised = self.session.app_cache.authorise(app, now, check).await?;
        authorised.into_result().map(drop).map_err(EffectError::Rejected)
    }

    /// A viewer has no row before it subscribes, so this is where it is counted.
    async fn has_subscription_room(&self, app: &AppId) -> Result<bool, Fault> {
        let Self { session, event } = self;
        let known = session.app_cache.cached(app, event.arrival).await?;
        let most = known.map_or(DEFAULT_MAX_CONNECTIONS, |known| known.max_subscriptions());
        session.publishers.has_subscription_room(app, &event.connection, most, event.arrival).await
    }

    async fn subscribe(
        &self,
        app: &AppId,
        grant: &Grant,
        min_interval_ms: i64,
        dialect: Dialect,
    ) -> Result<Subscribed, Fault> {
        let Self { session, event } = self;
        let (connection, proof) = (event.connection.clone(), grant.stored_proof());
        let subscriber = Subscriber { connection, min_interval_ms, dialect, proof };
        Ok(match session.subscriptions.add_with_replay(app, &subscriber, event.arrival).await? {
            Added::Done => Subscribed::Done,
            Added::Rejected => Subscribed::Full,
            Added::TooSoon { wait_ms } => Subscribed::TooSoon { wait_ms },
        })
    }

    fn replay_wait_ms(&self, app: &AppId) -> i64 {
        self.session.replay_limiter.wait_ms(&self.event.connection, app, self.event.arrival)
    }

    /// A page of the published dashboard is subscribed by its `auth`, which counted the connections but not the
    /// subscriptions of the app.
    async fn add_subscription(
        &self,
        app: &AppId,
        grant: &Grant,
        min_interval_ms: i64,
        dialect: Dialect,
    ) -> Result<bool, Fault> {
        let Self { session, event } = self;
        if dialect == Dialect::Legacy {
            let known = session.app_cache.cached(app, event.arrival).await?;
            let has_own_limit = known.is_some_and(|known| known.limits.subscriptions.is_some());
            if has_own_limit && !self.has_subscription_room(app).await? {
                return Ok(false);
            }
        }
        let (connection, proof) = (event.connection.clone(), grant.stored_proof());
        let subscriber = Subscriber { connection, min_interval_ms, dialect, proof };
        Ok(match session.subscriptions.add(app, &subscriber, event.arrival).await? {
            Added::Done => true,
            Added::Rejected | Added::TooSoon { .. } => false,
        })
    }

    async fn remove_subscription(&self, app: &AppId) -> Result<(), Fault> {
        self.session.subscriptions.remove(app, &self.event.connection, self.event.arrival).await
    }

    async fn recent_reports(&self, app: &AppId, from: TimestampMs) -> Result<RecentReports, Fault> {
        let now = self.event.arrival;
        let Some(known) = self.session.app_cache.cached(app, now).await? else {
            return Ok(RecentReports { reports: Vec::new(), is_complete: true });
        };
        let recent = self.session.reports.recent(&known, from, now, MAX_REPLAY_REPORTS).await?;
        self.session.replay_limiter.count(&self.event.connection, app, &recent.reports, now);
        Ok(recent)
    }
}
