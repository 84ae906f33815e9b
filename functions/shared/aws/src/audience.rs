//! The audience of an application: who watches it with credentials that still hold.
//!
//! Owns the parting from the others: whose key was dropped, whose token has ended or was taken back, whom the legacy
//! flag no longer lets in. Refuses to post what the audience came for: ingest and session do. Ruled by design.md §8.

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

/// Subscribers that are parted from at a time.
const CONCURRENT_PARTINGS: usize = 64;

/// Reads who watches, and parts from those who may no longer.
#[derive(Debug, Clone)]
pub struct Audience {
    subscriptions: Subscriptions,
    connections_api: ConnectionsApi,
}

/// The subscribers of an application.
#[derive(Debug, Default)]
pub struct Subscribers {
    /// Whose credentials hold.
    pub active: Vec<Subscriber>,
    /// Whose do not.
    pub expired: Vec<Subscriber>,
}

impl Audience {
    /// Reads `subscriptions` and tells by `connections_api`.
    pub(crate) fn new(subscriptions: Subscriptions, connections_api: ConnectionsApi) -> Self {
        Self { subscriptions, connections_api }
    }

    /// Who watches `app` at `now`. One consistent query for each megabyte of rows; where somebody's credentials seem
    /// not to hold, one read of the application, for nobody is parted from on an old belief. While that fails they are
    /// in neither part.
    ///
    /// # Errors
    /// A [`Fault`] when the rows, or an application that is not known yet, cannot be read.
    pub async fn of_app(
        &self,
        app: &AppId,
        app_cache: &AppCache,
        now: TimestampMs,
    ) -> Result<Subscribers, Fault> {
        let everybody = self.subscriptions.of_app(app, now).await?;
        let believed = app_cache.cached(app, now).await?;
        let mut seated = seat(everybody, believed.as_deref(), now);
        if seated.expired.is_empty() {
            return Ok(seated);
        }
        let doubted = std::mem::take(&mut seated.expired);
        match app_cache.fetch(app, now).await {
            Ok(current) => {
                let judged = seat(doubted, current.as_deref(), now);
                seated.active.extend(judged.active);
                seated.expired = judged.expired;
            }
            Err(fault) => tracing::warn!(app = %app, reason = fault.chain(), "credentials not judged"),
        }
        Ok(seated)
    }

    /// Drops the subscriptions of `expired` and tells them why. A write and a post for each; what fails is logged, and
    /// tried again with the next report. Pages of the library's dashboard keep theirs: they would not understand, and
    /// are shown reports again as soon as the legacy flag is on again.
    pub async fn expire(&self, app: &AppId, expired: &[Subscriber]) {
        // Of nearly every report, so that its frame is not rendered for nobody.
        if expired.is_empty() {
            return;
        }
        let rejection =
            Rejection::new(Code::Unauthorized, format!("the credentials to watch {app} have ended"));
        let frame = Outbound::Error { rejection, id: None }.render();
        let partings = stream::iter(expired.iter().filter(|one| one.dialect == Dialect::Modern));
        partings.for_each_concurrent(CONCURRENT_PARTINGS, |one| self.part(app, one, &frame)).await;
    }

    async fn part(&self, app: &AppId, subscriber: &Subscriber, frame: &str) {
        let connection = &subscriber.connection;
        tracing::info!(app = %app, %connection, "a subscription ended with its credentials");
        if let Err(fault) = self.subscriptions.delete(app, connection).await {
            tracing::warn!(%connection, reason = fault.chain(), "a subscription was not dropped");
        }
        if let Err(undelivered) = self.connections_api.post_with_timeout(connection, frame).await {
            undelivered.log(connection);
        }
    }
}

fn seat(subscribers: Vec<Subscriber>, app: Option<&App>, now: TimestampMs) -> Subscribers {
    let lasts = |subscriber: &Subscriber| app.is_some_and(|app| subscriber.proof.is_valid(app, now));
    let (active, expired) = subscribers.into_iter().partition(lasts);
    Subscribers { active, expired }
}
