//! From an HTTP call to an answer out of rollups and raw reports.
//!
//! Owns the routes and who may ask. What answers a window is `gather`'s matter. Ruled by protocol.md §3.

mod latest;
mod logs;
mod overview;

use std::sync::Arc;

use lambda_http::{Body, Request, RequestExt, Response};
use nsl_aws::apps::{AppCache, Apps};
use nsl_aws::boot::Clients;
use nsl_aws::clock;
use nsl_aws::fault::Fault;
use nsl_aws::logs::Logs;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::Rollups;
use nsl_domain::app::App;
use nsl_domain::grant::{Action, authorise};
use nsl_domain::history::{HistoryFold, HistoryQuery, SummaryAnswer};
use nsl_domain::ids::AppId;
use nsl_domain::rejection::Rejection;
use nsl_domain::rollup::Retention;
use nsl_domain::time::TimestampMs;
use serde_json::json;

use crate::page::Page;
use crate::read_window::{Gathered, Sources};
use crate::respond::Validity;
use crate::rollup_cache::RollupCache;
use crate::settings::Settings;
use crate::{request, respond};

/// The function, with its clients.
#[derive(Debug)]
pub struct History {
    apps: Apps,
    app_cache: AppCache,
    reports: Reports,
    rollups: Rollups,
    closed: RollupCache,
    logs: Logs,
    page: Page,
}

/// Why a call is not answered.
enum Refusal {
    Rejected(Rejection),
    Failed(Fault),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl History {
    /// The function with its own clients.
    pub fn new(clients: &Clients, settings: &Settings) -> Self {
        let apps = clients.apps(&settings.apps_table);
        Self {
            app_cache: AppCache::new(apps.clone()),
            apps,
            reports: clients.reports(&settings.reports_table),
            rollups: clients.rollups(&settings.rollups_table, Retention::default()),
            closed: RollupCache::default(),
            logs: clients.log_entries(&settings.logs_table),
            page: Page::new(&settings.websocket_address),
        }
    }

    /// Answers a call at this moment.
    ///
    /// # Errors
    /// None: whatever fails is told the caller.
    pub async fn handle(&self, request: Request) -> Result<Response<Body>, lambda_http::Error> {
        Ok(self.answer(&request, clock::now()).await)
    }

    /// The answer to `request` at `now`.
    pub async fn answer(&self, request: &Request, now: TimestampMs) -> Response<Body> {
        let outcome = match request::route(request) {
            "GET /" => Ok(self.page.answer(|tag| request::has_etag(request, tag))),
            "GET /health" => {
                Ok(respond::json(&json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})))
            }
            "GET /apps" => self.overview(request, now).await,
            "GET /apps/{appId}/metrics" => self.metrics(request, now).await,
            "GET /apps/{appId}/metrics/latest" => self.latest(request, now).await,
            "GET /apps/{appId}/summary" => self.summary(request, now).await,
            "GET /apps/{appId}/series" => self.series(request, now).await,
            "GET /apps/{appId}/logs" => self.log_entries(request, now).await,
            _ => Ok(respond::not_found()),
        };
        outcome.unwrap_or_else(|refusal| match refusal {
            Refusal::Rejected(rejection) => respond::rejected(&rejection),
            Refusal::Failed(fault) => {
                tracing::error!(reason = fault.chain(), "history not answered");
                respond::rejected(&Rejection::unavailable())
            }
        })
    }

    async fn metrics(&self, request: &Request, now: TimestampMs) -> Result<Response<Body>, Refusal> {
        let app = self.viewable(request, now).await?;
        let query = self.query(request, &app, now)?;
        let window = query.span.window;
        let gathered = self.sources().gather(&app, &query, now).await?;
        let validity =
            Validity::of_window((request::representation_key(request), gathered.mark()), window, now);
        if request::has_etag(request, &validity.tag) {
            return Ok(respond::not_modified(&validity));
        }
        let complete_to = gathered.complete_to();
        let mut fold = HistoryFold::new(app.id.clone(), query);
        note_unreadable(&app, gathered.fold_into(&mut fold)?);
        let answer = fold.finish(complete_to)?;
        let response = if request::accepts_csv(request) {
            respond::csv(answer.to_csv())
        } else {
            respond::json(&answer)
        };
        Ok(respond::tagged(response, &validity))
    }

    /// One row for each series over the whole window, beside the window before.
    async fn summary(&self, request: &Request, now: TimestampMs) -> Result<Response<Body>, Refusal> {
        let app = self.viewable(request, now).await?;
        let query = self.query(request, &app, now)?.of_totals();
        let window = query.span.window;
        let mut before = query.clone();
        before.span.window = window.before();
        let sources = self.sources();
        let (gathered, gathered_before) =
            futures_util::try_join!(sources.gather(&app, &query, now), sources.gather(&app, &before, now))?;
        let marks = (request::representation_key(request), gathered.mark(), gathered_before.mark());
        let validity = Validity::of_window(marks, window, now);
        if request::has_etag(request, &validity.tag) {
            return Ok(respond::not_modified(&validity));
        }
        let totals = |gathered: Gathered, query: &HistoryQuery| {
            let mut fold = HistoryFold::new(app.id.clone(), query.clone());
            note_unreadable(&app, gathered.fold_into(&mut fold)?);
            fold.into_totals()
        };
        let complete_to = gathered.complete_to();
        let (series, (series_before, _)) = (totals(gathered, &query)?, totals(gathered_before, &before)?);
        let span = (query.span.time_range, window);
        let answer = SummaryAnswer::new(app.id.clone(), span, complete_to, series, &series_before);
        Ok(respond::tagged(respond::json(&answer), &validity))
    }

    /// What the call asks of `app`.
    fn query(&self, request: &Request, app: &App, now: TimestampMs) -> Result<HistoryQuery, Rejection> {
        let parameters = request.query_string_parameters();
        HistoryQuery::read(|name| parameters.first(name), &self.kept_of(app), now)
    }

    /// How long `app` keeps what it reports.
    fn kept_of(&self, app: &App) -> Retention {
        app.retention.with_defaults(self.rollups.retention())
    }

    fn sources(&self) -> Sources<'_> {
        Sources { rollups: &self.rollups, reports: &self.reports, closed: &self.closed }
    }

    /// The application of the path, if the caller may view it.
    async fn viewable(&self, request: &Request, now: TimestampMs) -> Result<Arc<App>, Refusal> {
        let parameters = request.path_parameters();
        let id = parameters.first("appId").unwrap_or_default();
        let id = AppId::new(id).map_err(|demand| Rejection::invalid("appId", demand))?;
        let grant = request::grant(request);
        let judge = |app: Option<&App>| authorise(grant.as_ref(), Action::View, app, now);
        let known = self.app_cache.authorise(&id, now, judge).await??;
        Ok(known.ok_or_else(Rejection::unauthorized)?)
    }
}

fn note_unreadable(app: &App, unreadable: usize) {
    if unreadable > 0 {
        tracing::error!(app = %app.id, unreadable, "stored documents cannot be read");
    }
}
