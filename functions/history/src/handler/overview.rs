//! The overview: how each application that a caller may view is doing now.
//!
//! Owns which applications that are. One that refuses the caller is left out as if it were not there. Ruled by
//! protocol.md §3.

use futures_util::{StreamExt, TryStreamExt, stream};
use lambda_http::{Body, Request, Response};
use nsl_aws::fault::Fault;
use nsl_domain::app::App;
use nsl_domain::grant::{Action, Grant, GrantedApps, MAX_GRANTED_APPS, authorise, in_force};
use nsl_domain::history::{AppOverview, LatestFold, OverviewAnswer};
use nsl_domain::ids::AppId;
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::TimestampMs;

use super::{History, Refusal};
use crate::{request, respond};

/// Most applications of one overview: as many as a grant may name.
const MAX_APPS: usize = MAX_GRANTED_APPS;

/// Applications that are read at a time.
const CONCURRENT_APPS: usize = 8;

/// What becomes of one application: its row, or why there is none.
type Row = Result<AppOverview, Rejection>;

impl History {
    pub(super) async fn overview(
        &self,
        request: &Request,
        now: TimestampMs,
    ) -> Result<Response<Body>, Refusal> {
        let grant = request::grant(request);
        let grant = in_force(grant.as_ref(), Action::View, now)?;
        let mut ids = self.reached(grant).await?;
        let complete = ids.len() <= MAX_APPS;
        ids.truncate(MAX_APPS);
        let rows = stream::iter(ids.into_iter().map(|id| self.row(grant, id, now)));
        let rows: Vec<Row> = rows.buffered(CONCURRENT_APPS).try_collect().await?;
        let apps = shown(grant, rows)?;
        Ok(respond::revalidated(request, &OverviewAnswer { apps, complete }))
    }

    /// The applications that `grant` names, or those of its owner, by id and each once.
    async fn reached(&self, grant: &Grant) -> Result<Vec<AppId>, Fault> {
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

    async fn row(&self, grant: &Grant, id: AppId, now: TimestampMs) -> Result<Row, Fault> {
        let judge = |app: Option<&App>| match authorise(Some(grant), Action::View, app, now) {
            // That it is switched off is what its owner looks for; nothing else is told of it.
            Err(refusal) if refusal.code == Code::AppInactive => Ok(()),
            verdict => verdict,
        };
        let app = match self.app_cache.authorise(&id, now, judge).await? {
            Ok(Some(app)) => app,
            Ok(None) => return Ok(Err(Rejection::unauthorized())),
            Err(refusal) => return Ok(Err(refusal)),
        };
        if authorise(Some(grant), Action::View, Some(&app), now).is_err() {
            return Ok(Ok(AppOverview::new(&app, &LatestFold::new(app.id.clone()), now)));
        }
        let last = self.latest_of(&app, now).await?;
        Ok(Ok(AppOverview::new(&app, &last, now)))
    }
}

/// The rows that there are. A caller of named applications who may view none of them is told why, as by the other
/// calls; an owner without applications has none.
fn shown(grant: &Grant, rows: Vec<Row>) -> Result<Vec<AppOverview>, Rejection> {
    let mut shown = Vec::new();
    let mut first_refusal = None;
    for row in rows {
        match row {
            Ok(overview) => shown.push(overview),
            Err(refusal) => first_refusal = first_refusal.or(Some(refusal)),
        }
    }
    match (&grant.reach, first_refusal) {
        (GrantedApps::Apps(_), Some(refusal)) if shown.is_empty() => Err(refusal),
        _ => Ok(shown),
    }
}
