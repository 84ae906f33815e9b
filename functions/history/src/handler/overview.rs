//! `GET /apps`: the present state of each application that the caller may view.
//!
//! It is made of the newest minutes of each write shard, which the rollup function stores up to a minute after their
//! reports, and of a few of the newest raw reports, so that an application that starts is shown at once.

use futures_util::{StreamExt, stream};
use lambda_http::{Body, Request, Response};
use nsl_aws::fault::Fault;
use nsl_domain::app::App;
use nsl_domain::grant::{Action, Grant, GrantedApps, MAX_GRANTED_APPS, authorise, check_without_app};
use nsl_domain::history::{AppOverview, OverviewAnswer};
use nsl_domain::ids::AppId;
use nsl_domain::rejection::Code;
use nsl_domain::report::MAX_AHEAD_MS;
use nsl_domain::rollup::{ACTIVE_MS, Activity, AppShard};
use nsl_domain::time::TimestampMs;
use nsl_domain::time_span::TimeSpan;

use super::{History, RequestError};
use crate::{request, respond};

/// Most applications of one overview: as many as a grant may list.
const MAX_APPS: usize = MAX_GRANTED_APPS;

/// Applications that are read at the same time.
const CONCURRENT_APPS: usize = 8;

/// Raw reports that are read of each write shard: ten kilobytes of the library's.
const NEWEST_REPORTS: i32 = 16;

impl History {
    pub(super) async fn overview(
        &self,
        request: &Request,
        now: TimestampMs,
    ) -> Result<Response<Body>, RequestError> {
        let grant = request::grant(request);
        let grant = check_without_app(grant.as_ref(), Action::View, now)?;
        let mut ids = self.granted(grant).await?;
        let complete = ids.len() <= MAX_APPS;
        ids.truncate(MAX_APPS);
        let rows = stream::iter(ids.into_iter().map(|id| self.row(grant, id, now)));
        let apps = viewable_rows(grant, rows.buffered(CONCURRENT_APPS).collect().await)?;
        respond::revalidated_json(request, &OverviewAnswer { apps, complete })
    }

    /// The applications that `grant` lists, or those of its owner, by id and without repeats.
    async fn granted(&self, grant: &Grant) -> Result<Vec<AppId>, Fault> {
        let mut ids = match &grant.reach {
            GrantedApps::Apps(apps) => apps.clone(),
            GrantedApps::Owner(owner) => {
                self.apps.of_owner(owner).await?.into_iter().map(|listed| listed.id).collect()
            }
        };
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    async fn row(&self, grant: &Grant, id: AppId, now: TimestampMs) -> Result<AppOverview, RequestError> {
        let view = |app: Option<&App>| authorise(Some(grant), Action::View, app, now);
        // An inactive app is listed as inactive, without its reports.
        let view_or_inactive = |app: Option<&App>| match view(app) {
            Err(rejection) if rejection.code == Code::AppInactive => Ok(()),
            outcome => outcome,
        };
        let app = self.app_cache.authorise(&id, now, view_or_inactive).await?.into_result()?;
        let shards = match view(Some(&app)) {
            Ok(()) => self.activity(&app, now).await?,
            Err(rejection) if rejection.code == Code::AppInactive => Vec::new(),
            Err(rejection) => return Err(rejection.into()),
        };
        Ok(AppOverview::new(&app, &shards, now))
    }

    /// What the sources of each write shard of `app` last reported, in its newest minutes and in its newest reports.
    async fn activity(&self, app: &App, now: TimestampMs) -> Result<Vec<Vec<Activity>>, Fault> {
        let rollups = self.rollups.with_retention(self.retention_of(app));
        let recent = TimeSpan::new(now.plus_ms(-ACTIVE_MS), now.plus_ms(MAX_AHEAD_MS + 1));
        let mut shards = Vec::new();
        for shard in 0..app.shards {
            let shard = AppShard { app: app.id.clone(), shard };
            let minutes = rollups.newest_activity(&shard, now);
            let newest = self.reports.newest_few(&shard, recent, now, NEWEST_REPORTS);
            let (mut activity, newest) = futures_util::try_join!(minutes, newest)?;
            activity.extend(Activity::of_reports(&newest));
            shards.push(activity);
        }
        Ok(shards)
    }
}

/// The rows of the apps that the caller may view; others are left out. If a grant lists apps and none may be viewed,
/// the error is the first rejection.
fn viewable_rows(
    grant: &Grant,
    rows: Vec<Result<AppOverview, RequestError>>,
) -> Result<Vec<AppOverview>, RequestError> {
    let mut viewable = Vec::new();
    let mut first_rejection = None;
    for row in rows {
        match row {
            Ok(overview) => viewable.push(overview),
            Err(RequestError::Rejected(rejection)) => {
                first_rejection.get_or_insert(rejection);
            }
            Err(RequestError::Failed(fault)) => return Err(fault.into()),
        }
    }
    match (&grant.reach, first_rejection) {
        (GrantedApps::Apps(_), Some(rejection)) if viewable.is_empty() => Err(rejection.into()),
        (GrantedApps::Apps(_) | GrantedApps::Owner(_), _) => Ok(viewable),
    }
}
