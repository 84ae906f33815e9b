//! Fan-out: stored reports to those who watch their application.
//!
//! Owns concurrency and patience. One frame is rendered once per dialect, not once per subscriber; one connection
//! that is slow or gone delays nobody else. Ruled by design.md §7.

use std::collections::BTreeMap;
use std::time::Duration;

use nsl_aws::audience::Subscribers;
use nsl_aws::subscriptions::Subscriber;
use nsl_domain::frame::outbound::{Dialect, live_frame};
use nsl_domain::ids::AppId;
use nsl_domain::report::Report;
use nsl_domain::time::TimestampMs;

use crate::handler::Ingest;

/// Longest time that one invocation spends on fan-out, below the function's timeout of 10 s: subscribers that are not
/// reached by then find the reports in their next replay, and the invocation ends by itself.
const FAN_OUT_PATIENCE: Duration = Duration::from_secs(7);

/// The frames of an application's new reports, rendered once.
struct Frames {
    modern: Vec<String>,
    legacy: Vec<String>,
}

impl Frames {
    fn of(reports: &[&Report], subscribers: &[Subscriber]) -> Self {
        let rendered = |dialect| {
            let wanted = subscribers.iter().any(|subscriber| subscriber.dialect == dialect);
            let reports = if wanted { reports } else { &[] };
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

impl Ingest {
    /// Posts `stored` to the subscribers of their applications. What cannot be delivered is logged: the reports are
    /// stored, and a viewer that missed one finds it in its next replay.
    pub(crate) async fn broadcast(&self, stored: &[Report], now: TimestampMs) {
        if tokio::time::timeout(FAN_OUT_PATIENCE, self.broadcast_all(stored, now)).await.is_err() {
            tracing::error!(reports = stored.len(), "fan-out cut short");
        }
    }

    async fn broadcast_all(&self, stored: &[Report], now: TimestampMs) {
        let mut by_app: BTreeMap<&AppId, Vec<&Report>> = BTreeMap::new();
        for report in stored {
            by_app.entry(&report.app).or_default().push(report);
        }
        for (app, reports) in by_app {
            match self.audience.of_app(app, &self.app_cache, now).await {
                Ok(Subscribers { active, expired }) => {
                    let told = self.fan_out(app, &reports, &active, now);
                    futures_util::join!(told, self.audience.expire(app, &expired));
                }
                Err(fault) => tracing::error!(app = %app, reason = fault.chain(), "subscribers not read"),
            }
        }
    }

    async fn fan_out(&self, app: &AppId, reports: &[&Report], subscribers: &[Subscriber], now: TimestampMs) {
        let frames = Frames::of(reports, subscribers);
        let posts = self.fan_out.to_subscribers(
            app,
            subscribers,
            |subscriber| {
                let Subscriber { connection, min_interval_ms, dialect, .. } = subscriber;
                let admits = |_: &&String| self.pace.admits(connection, app, *min_interval_ms, now);
                frames.in_dialect(*dialect).iter().filter(admits)
            },
            &self.counters,
        );
        posts.await;
    }
}
