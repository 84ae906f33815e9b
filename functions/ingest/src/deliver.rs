//! Fan-out: stored reports to the subscribers of their app.

use std::collections::BTreeMap;

use nsl_aws::apps::AppCache;
use nsl_aws::audience::{Audience, Split};
use nsl_aws::boot::Clients;
use nsl_aws::counters::Counters;
use nsl_aws::fan_out::FanOut;
use nsl_aws::fault::Fault;
use nsl_aws::isolation::isolated;
use nsl_aws::subscriptions::Subscriber;
use nsl_domain::dialect::Dialect;
use nsl_domain::frame::outbound::live_frame;
use nsl_domain::ids::AppId;
use nsl_domain::report::Report;
use nsl_domain::time::TimestampMs;

use crate::min_interval::MinInterval;
use crate::settings::Settings;

/// The frames of an app's new reports, each rendered once per dialect rather than once per subscriber.
struct Frames {
    modern: Vec<String>,
    legacy: Vec<String>,
}

impl Frames {
    fn render(reports: &[&Report], subscribers: &[Subscriber]) -> Self {
        let rendered = |dialect| {
            let is_needed = subscribers.iter().any(|subscriber| subscriber.dialect == dialect);
            let reports = if is_needed { reports } else { &[] };
            reports.iter().filter_map(|report| live_frame(report, dialect)).collect()
        };
        Self { modern: rendered(Dialect::Modern), legacy: rendered(Dialect::Legacy) }
    }

    fn in_dialect(&self, dialect: Dialect) -> &[String] {
        match dialect {
            Dialect::Modern => &self.modern,
            Dialect::Legacy => &self.legacy,
        }
    }
}

/// Posts stored reports to subscribers.
#[derive(Debug)]
pub(crate) struct Broadcaster {
    audience: Audience,
    fan_out: FanOut,
    min_interval: MinInterval,
}

impl Broadcaster {
    pub(crate) fn new(clients: &Clients, settings: &Settings) -> Self {
        Self {
            audience: clients.audience(&settings.connections_table),
            fan_out: clients.fan_out(&settings.connections_table),
            min_interval: MinInterval::default(),
        }
    }

    /// Posts `reports` to the subscribers of their apps. Failures are logged: the reports are stored, and a subscriber
    /// that missed one gets it with its next replay.
    pub(crate) async fn broadcast(
        &self,
        reports: &[Report],
        app_cache: &AppCache,
        counters: &Counters,
        now: TimestampMs,
    ) {
        let mut by_app: BTreeMap<&AppId, Vec<&Report>> = BTreeMap::new();
        for report in reports {
            by_app.entry(&report.app).or_default().push(report);
        }
        for (app, reports) in by_app {
            let posts = self.broadcast_of_app(app, &reports, app_cache, counters, now);
            if let Err(fault) = isolated("broadcast the reports of an app", posts).await.flatten() {
                tracing::error!(app = %app, reason = fault.chain(), "reports not broadcast");
            }
        }
    }

    async fn broadcast_of_app(
        &self,
        app: &AppId,
        reports: &[&Report],
        app_cache: &AppCache,
        counters: &Counters,
        now: TimestampMs,
    ) -> Result<(), Fault> {
        let Split { active, expired } = self.audience.subscribers(app, app_cache, now).await?;
        let posts = self.fan_out(app, reports, &active, counters, now);
        futures_util::join!(posts, self.audience.expire(app, &expired));
        Ok(())
    }

    async fn fan_out(
        &self,
        app: &AppId,
        reports: &[&Report],
        subscribers: &[Subscriber],
        counters: &Counters,
        now: TimestampMs,
    ) {
        let frames = Frames::render(reports, subscribers);
        let posts = self.fan_out.to_subscribers(
            app,
            subscribers,
            |subscriber| {
                let Subscriber { connection, min_interval_ms, dialect, .. } = subscriber;
                let admits = |_: &&String| self.min_interval.admit(connection, app, *min_interval_ms, now);
                frames.in_dialect(*dialect).iter().filter(admits)
            },
            counters,
        );
        posts.await;
    }
}
