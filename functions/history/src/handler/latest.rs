//! `GET /apps/{appId}/metrics/latest` and `/series`: the last report of each source, and the series in them.
//! They read one page of the last reports that the rollup function stored and, of each write shard, the newest page of
//! the last minutes, so the cost does not depend on the number of sources.

use lambda_http::{Body, Request, Response};
use nsl_aws::fault::Fault;
use nsl_domain::app::App;
use nsl_domain::history::{LatestFold, MAX_TAIL_MS, SeriesAnswer, Truncated, Truncations};
use nsl_domain::report::{MAX_AHEAD_MS, RecentReports, Report};
use nsl_domain::rollup::AppShard;
use nsl_domain::time::TimestampMs;
use nsl_domain::time_span::TimeSpan;

use super::{History, RequestError, log_invalid};
use crate::respond;

/// The last reports of an application; a source may have several.
struct LastReports {
    reports: Vec<Report>,
    /// Whether more sources may exist.
    has_more: bool,
}

impl History {
    pub(super) async fn latest(
        &self,
        request: &Request,
        now: TimestampMs,
    ) -> Result<Response<Body>, RequestError> {
        let app = self.viewable(request, now).await?;
        let last = self.latest_of(&app, now).await?;
        respond::revalidated_json(request, &last.finish())
    }

    pub(super) async fn series(
        &self,
        request: &Request,
        now: TimestampMs,
    ) -> Result<Response<Body>, RequestError> {
        let app = self.viewable(request, now).await?;
        let LastReports { mut reports, has_more } = self.last_reports(&app, now).await?;
        reports.sort_by_key(|report| report.timestamp);
        let documents = reports.iter().map(|report| report.document.as_str());
        let mut truncated = Truncations::default();
        truncated.note(Truncated::Sources, has_more);
        respond::revalidated_json(request, &SeriesAnswer::new(app.id.clone(), documents, truncated))
    }

    /// The last report of each source of `app`.
    async fn latest_of(&self, app: &App, now: TimestampMs) -> Result<LatestFold, Fault> {
        let mut fold = LatestFold::new(app.id.clone());
        let last = self.last_reports(app, now).await?;
        if last.has_more {
            fold.note_more_sources();
        }
        for report in last.reports {
            let added = fold.add(&report.source, report.timestamp, &report.id(), report.document.as_str());
            log_invalid(app, usize::from(added.is_err()));
        }
        Ok(fold)
    }

    /// The last reports that the rollup function stored, and the raw tail, which is newer.
    async fn last_reports(&self, app: &App, now: TimestampMs) -> Result<LastReports, Fault> {
        let rollups = self.rollups.with_retention(self.retention_of(app));
        let RecentReports { mut reports, is_complete } = rollups.last_reports(&app.id, now).await?;
        let tail = TimeSpan::new(now.plus_ms(-MAX_TAIL_MS), now.plus_ms(MAX_AHEAD_MS + 1));
        for shard in 0..app.shards {
            let shard = AppShard { app: app.id.clone(), shard };
            // Only the newest of each source matters. One beyond a full page was stored by the rollup function a minute ago.
            reports.extend(self.reports.newest(&shard, tail, now).await?);
        }
        Ok(LastReports { reports, has_more: !is_complete })
    }
}
