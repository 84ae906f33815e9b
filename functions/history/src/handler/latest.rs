//! The last report of each source, and the series in them.
//!
//! Owns what is read for them: a page of what the rollup function noted, and of each write shard the newest page of the
//! last minutes. So a call costs the same however many sources there are; where they are more, the answer says so.
//! Ruled by protocol.md §3.

use lambda_http::{Body, Request, Response};
use nsl_aws::fault::Fault;
use nsl_domain::app::App;
use nsl_domain::history::{LatestFold, MAX_TAIL_MS, SeriesAnswer, Truncated, Truncations};
use nsl_domain::report::{MAX_AHEAD_MS, Report};
use nsl_domain::rollup::AppShard;
use nsl_domain::time::TimestampMs;
use nsl_domain::time_span::TimeSpan;

use super::{History, Refusal, note_unreadable};
use crate::respond;

/// The last reports of an application, several of a source among them.
struct LastReports {
    reports: Vec<Report>,
    /// Whether there may be sources that have none among them.
    are_more: bool,
}

impl History {
    pub(super) async fn latest(
        &self,
        request: &Request,
        now: TimestampMs,
    ) -> Result<Response<Body>, Refusal> {
        let app = self.viewable(request, now).await?;
        let last = self.latest_of(&app, now).await?;
        Ok(respond::revalidated(request, &last.finish()))
    }

    pub(super) async fn series(
        &self,
        request: &Request,
        now: TimestampMs,
    ) -> Result<Response<Body>, Refusal> {
        let app = self.viewable(request, now).await?;
        let LastReports { mut reports, are_more } = self.last_reports(&app, now).await?;
        reports.sort_by_key(|report| report.timestamp);
        let documents = reports.iter().map(|report| report.document.as_str());
        let mut truncated = Truncations::default();
        truncated.note(Truncated::Sources, are_more);
        Ok(respond::revalidated(request, &SeriesAnswer::new(app.id.clone(), documents, truncated)))
    }

    /// The last report of each source of `app`.
    pub(super) async fn latest_of(&self, app: &App, now: TimestampMs) -> Result<LatestFold, Fault> {
        let mut fold = LatestFold::new(app.id.clone());
        let last = self.last_reports(app, now).await?;
        if last.are_more {
            fold.note_more();
        }
        for report in last.reports {
            let added = fold.add(&report.source, report.timestamp, &report.id(), report.document.as_str());
            note_unreadable(app, usize::from(added.is_err()));
        }
        Ok(fold)
    }

    /// The last reports of the sources as the rollup function noted them, and the raw tail, which is newer.
    async fn last_reports(&self, app: &App, now: TimestampMs) -> Result<LastReports, Fault> {
        let kept = self.rollups.with_retention(self.kept_of(app));
        let (mut reports, are_all) = kept.last_reports(&app.id, now).await?;
        let tail = TimeSpan::new(now.plus_ms(-MAX_TAIL_MS), now.plus_ms(MAX_AHEAD_MS + 1));
        for shard in 0..app.shards {
            let shard = AppShard { app: app.id.clone(), shard };
            // Only the newest of each source matters. One that a full page does not reach was noted a minute ago.
            reports.extend(self.reports.newest(&shard, tail, now).await?);
        }
        Ok(LastReports { reports, are_more: !are_all })
    }
}
