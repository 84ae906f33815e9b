//! `GET /apps`: the present state of each application that the caller may view.

use futures_util::{StreamExt, stream};
use lambda_http::{Body, Request, Response};
use nsl_aws::fault::Fault;
use nsl_domain::app::App;
use nsl_domain::grant::{Action, Grant, GrantedApps, MAX_GRANTED_APPS, authorise, check_without_app};
use nsl_domain::history::{AppOverview, LatestFold, OverviewAnswer};
use nsl_domain::ids::AppId;
use nsl_domain::rejection::Code;
use nsl_domain::time::TimestampMs;

use super::{History, RequestError};
use crate::{request, respond};

/// Most applications of one overview: as many as a grant may list.
const MAX_APPS: usize = MAX_GRANTED_APPS;

/// Applications that are read at the same time.
const CONCURRENT_APPS: usize = 8;

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
        let last = match view(Some(&app)) {
            Ok(()) => self.latest_of(&app, now).await?,
            Err(rejection) if rejection.code == Code::AppInactive => LatestFold::new(app.id.clone()),
            Err(rejection) => return Err(rejection.into()),
        };
        Ok(AppOverview::new(&app, &last, now))
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
