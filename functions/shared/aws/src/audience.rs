//! Who gets the frames of an app: the subscribers and publishers whose key, token or legacy flag is valid. The one place
//! that decides it, for every frame that a connection did not ask for.

use futures_util::{StreamExt, stream};
use nsl_domain::app::App;
use nsl_domain::dialect::Dialect;
use nsl_domain::frame::outbound::Outbound;
use nsl_domain::grant::StoredProof;
use nsl_domain::ids::AppId;
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::TimestampMs;

use crate::apps::AppCache;
use crate::connections_api::ConnectionsApi;
use crate::deadline;
use crate::fault::Fault;
use crate::publishers::{Publisher, Publishers};
use crate::subscriptions::{Subscriber, Subscriptions};

/// Subscribers that are expired at a time.
const CONCURRENT_EXPIRIES: usize = 64;

/// Reads the subscribers and the publishers of an app, and expires subscribers.
#[derive(Debug, Clone)]
pub struct Audience {
    pub(crate) subscriptions: Subscriptions,
    pub(crate) publishers: Publishers,
    pub(crate) connections_api: ConnectionsApi,
}

/// The subscribers or the publishers of an app.
#[derive(Debug)]
pub struct Split<T> {
    /// Those whose credentials are valid.
    pub active: Vec<T>,
    /// Those whose credentials are not.
    pub expired: Vec<T>,
}

impl Audience {
    /// The subscribers of `app` at `now`. One consistent query per megabyte of rows, and one read of the app where a
    /// subscriber seems expired: a cached app may be outdated. If that read fails, such a subscriber is neither active
    /// nor expired.
    ///
    /// # Errors
    /// A [`Fault`] when the rows, or an app that is not cached, cannot be read.
    pub async fn subscribers(
        &self,
        app: &AppId,
        app_cache: &AppCache,
        now: TimestampMs,
    ) -> Result<Split<Subscriber>, Fault> {
        let rows = self.subscriptions.of_app(app, now).await?;
        check(rows, |subscriber| &subscriber.proof, app, app_cache, now).await
    }

    /// The publishers of `app` at `now` whose credentials are valid. Calls and errors as for [`Audience::subscribers`].
    /// The rows of the others are kept: they count as connections, and are closed with the app.
    ///
    /// # Errors
    /// A [`Fault`] when the rows, or an app that is not cached, cannot be read.
    pub async fn publishers(
        &self,
        app: &AppId,
        app_cache: &AppCache,
        now: TimestampMs,
    ) -> Result<Vec<Publisher>, Fault> {
        let rows = self.publishers.of_app(app, now).await?;
        Ok(check(rows, |publisher| &publisher.proof, app, app_cache, now).await?.active)
    }

    /// Deletes the subscriptions `expired` and posts an error to them. One write and one post each; failures are
    /// logged, and the next report tries again. One that was renewed by another credential meanwhile is kept. Legacy
    /// dashboards are skipped: they would not understand the error, and get reports again as soon as the legacy flag is
    /// set again.
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
        if deadline::is_over() {
            return;
        }
        let connection = &subscriber.connection;
        match self.subscriptions.expire(app, subscriber).await {
            Ok(true) => tracing::info!(%app, %connection, "subscription expired with its credentials"),
            Ok(false) => return,
            Err(fault) => {
                tracing::warn!(%connection, reason = fault.chain(), "expired subscription not deleted");
            }
        }
        if let Err(failure) = self.connections_api.post_with_timeout(connection, frame).await {
            failure.log(connection);
        }
    }
}

/// Splits `rows` by their proofs, first by the cached app, then those that seem expired by the current one. If that
/// cannot be read, they are left out.
async fn check<T>(
    rows: Vec<T>,
    proof: impl Fn(&T) -> &StoredProof,
    app: &AppId,
    app_cache: &AppCache,
    now: TimestampMs,
) -> Result<Split<T>, Fault> {
    let cached = app_cache.cached(app, now).await?;
    let mut rows = split(rows, &proof, cached.as_deref(), now);
    if rows.expired.is_empty() {
        return Ok(rows);
    }
    let to_recheck = std::mem::take(&mut rows.expired);
    match app_cache.fetch(app, now).await {
        Ok(current) => {
            let checked = split(to_recheck, &proof, current.as_deref(), now);
            rows.active.extend(checked.active);
            rows.expired = checked.expired;
        }
        Err(fault) => tracing::warn!(%app, reason = fault.chain(), "credentials of connections not checked"),
    }
    Ok(rows)
}

fn split<T>(
    rows: Vec<T>,
    proof: impl Fn(&T) -> &StoredProof,
    app: Option<&App>,
    now: TimestampMs,
) -> Split<T> {
    let is_valid = |row: &T| app.is_some_and(|app| proof(row).is_valid(app, now));
    let (active, expired) = rows.into_iter().partition(is_valid);
    Split { active, expired }
}
