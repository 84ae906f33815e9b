//! The subscribers of an app, and the end of those whose key, token or legacy flag is no longer valid.

use futures_util::{StreamExt, stream};
use nsl_domain::app::App;
use nsl_domain::frame::outbound::{Dialect, Outbound};
use nsl_domain::ids::AppId;
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::TimestampMs;

use crate::apps::AppCache;
use crate::connections_api::ConnectionsApi;
use crate::fault::Fault;
use crate::subscriptions::{Subscriber, Subscriptions};

/// Subscribers that are expired at a time.
const CONCURRENT_EXPIRIES: usize = 64;

/// Reads the subscribers of an app, and expires them.
#[derive(Debug, Clone)]
pub struct Audience {
    pub(crate) subscriptions: Subscriptions,
    pub(crate) connections_api: ConnectionsApi,
}

/// The subscribers of an app.
#[derive(Debug, Default)]
pub struct Subscribers {
    /// Those whose credentials are valid.
    pub active: Vec<Subscriber>,
    /// Those whose credentials are not.
    pub expired: Vec<Subscriber>,
}

impl Audience {
    /// The subscribers of `app` at `now`. One consistent query per megabyte of rows, and one read of the app where a
    /// subscriber seems expired: a cached app may be outdated. If that read fails, such a subscriber is neither active
    /// nor expired.
    ///
    /// # Errors
    /// A [`Fault`] when the rows, or an app that is not cached, cannot be read.
    pub async fn of_app(
        &self,
        app: &AppId,
        app_cache: &AppCache,
        now: TimestampMs,
    ) -> Result<Subscribers, Fault> {
        let rows = self.subscriptions.of_app(app, now).await?;
        let cached = app_cache.cached(app, now).await?;
        let mut subscribers = split(rows, cached.as_deref(), now);
        if subscribers.expired.is_empty() {
            return Ok(subscribers);
        }
        let to_recheck = std::mem::take(&mut subscribers.expired);
        match app_cache.fetch(app, now).await {
            Ok(current) => {
                let checked = split(to_recheck, current.as_deref(), now);
                subscribers.active.extend(checked.active);
                subscribers.expired = checked.expired;
            }
            Err(fault) => tracing::warn!(%app, reason = fault.chain(), "subscribers not checked"),
        }
        Ok(subscribers)
    }

    /// Deletes the subscriptions `expired` and posts an error to them. One write and one post each; failures are
    /// logged, and the next report tries again. Legacy dashboards are skipped: they would not understand the error,
    /// and get reports again as soon as the legacy flag is set again.
    pub async fn expire(&self, app: &AppId, expired: &[Subscriber]) {
        // The frame is rendered only when needed, because this is called with every report.
        if expired.is_empty() {
            return;
        }
        let rejection = Rejection::new(
            Code::Unauthorized,
            format!("the credential of the subscription to {app} expired or was revoked"),
        );
        let frame = Outbound::Error { rejection, id: None }.render();
        let modern = stream::iter(expired.iter().filter(|subscriber| subscriber.dialect == Dialect::Modern));
        modern
            .for_each_concurrent(CONCURRENT_EXPIRIES, |subscriber| self.expire_one(app, subscriber, &frame))
            .await;
    }

    async fn expire_one(&self, app: &AppId, subscriber: &Subscriber, frame: &str) {
        let connection = &subscriber.connection;
        tracing::info!(%app, %connection, "subscription expired with its credentials");
        if let Err(fault) = self.subscriptions.delete(app, connection).await {
            tracing::warn!(%connection, reason = fault.chain(), "expired subscription not deleted");
        }
        if let Err(failure) = self.connections_api.post_with_timeout(connection, frame).await {
            failure.log(connection);
        }
    }
}

fn split(subscribers: Vec<Subscriber>, app: Option<&App>, now: TimestampMs) -> Subscribers {
    let is_valid = |subscriber: &Subscriber| app.is_some_and(|app| subscriber.proof.is_valid(app, now));
    let (active, expired) = subscribers.into_iter().partition(is_valid);
    Subscribers { active, expired }
}
