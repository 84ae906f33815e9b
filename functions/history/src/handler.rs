//! Routes an HTTP request, authorises it and answers it (docs/PROTOCOL.md, "HTTP").

mod latest;
mod logs;
mod overview;

use std::sync::Arc;

use lambda_http::{Body, Request, RequestExt, Response};
use nsl_aws::apps::{AppCache, Apps};
use nsl_aws::boot::Clients;
use nsl_aws::clock;
use nsl_aws::counters::Counters;
use nsl_aws::fault::Fault;
use nsl_aws::isolation::isolated;
use nsl_aws::legacy::Logs;
use nsl_aws::origin_secret::OriginSecret;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::Rollups;
use nsl_domain::app::App;
use nsl_domain::grant::{Action, authorise};
use nsl_domain::history::{HistoryFold, HistoryQuery, SummaryAnswer};
use nsl_domain::ids::AppId;
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::rollup::Retention;
use nsl_domain::time::TimestampMs;
use serde_json::json;

use crate::call_limit::CallLimit;
use crate::negotiate::MediaType;
use crate::page::Page;
use crate::query_string::Parameters;
use crate::read_budget::ReadBudget;
use crate::read_window::{WindowReader, WindowReads};
use crate::respond::Validity;
use crate::rollup_cache::RollupCache;
use crate::route::Route;
use crate::settings::Settings;
use crate::{compress, request, respond};

/// The function with its clients.
#[derive(Debug)]
pub struct History {
    apps: Apps,
    app_cache: AppCache,
    reports: Reports,
    rollups: Rollups,
    cache: RollupCache,
    logs: Logs,
    page: Page,
    limit: CallLimit,
    counters: Counters,
    origin_secret: OriginSecret,
}

/// The answer to a call of API Gateway's own name where a proxy is in front of it.
const AROUND_PROXY: &str = "this address is not open to callers";

/// Why a request fails.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum RequestError {
    Rejected(#[from] Rejection),
    Failed(#[from] Fault),
}

impl History {
    /// The function with the stores of `clients`.
    pub fn new(clients: &Clients, settings: &Settings) -> Self {
        let apps = clients.apps(&settings.apps_table);
        Self {
            app_cache: AppCache::new(apps.clone()),
            apps,
            reports: clients.reports(&settings.reports_table),
            rollups: clients.rollups(&settings.rollups_table, Retention::default()),
            cache: RollupCache::default(),
            logs: clients.log_entries(&settings.logs_table),
            page: Page::new(&settings.websocket_address),
            limit: CallLimit::default(),
            counters: clients.counters(&settings.metrics_namespace),
            origin_secret: settings.origin_secret.clone(),
        }
    }

    /// Answers `request` now.
    ///
    /// # Errors
    /// None: a failure becomes a response.
    pub async fn handle(&self, request: Request) -> Result<Response<Body>, lambda_http::Error> {
        let answer = self.answer(&request, clock::now()).await;
        self.counters.emit(clock::now());
        Ok(answer)
    }

    /// The answer to `request` at `now`. A panic is answered as any other fault.
    pub async fn answer(&self, request: &Request, now: TimestampMs) -> Response<Body> {
        let response = compress::encoded(self.response(request, now).await, request::codings(request));
        if request::is_head(request) { respond::without_body(response) } else { response }
    }

    async fn response(&self, request: &Request, now: TimestampMs) -> Response<Body> {
        // `authorize` refuses such calls too, but the page and /health have no authorizer.
        if !self.origin_secret.admits(request::origin_secret(request)) {
            tracing::warn!("request without the origin secret refused");
            return respond::rejected(&Rejection::new(Code::Forbidden, AROUND_PROXY));
        }
        let Some(route) = Route::of(request) else { return respond::not_found() };
        let outcome = isolated("answer a history request", self.outcome(route, request, now)).await;
        outcome.map_err(RequestError::Failed).flatten().unwrap_or_else(|error| match error {
            RequestError::Rejected(rejection) => respond::rejected(&rejection),
            RequestError::Failed(fault) => {
                tracing::error!(reason = fault.chain(), "history request failed");
                respond::rejected(&Rejection::unavailable())
            }
        })
    }

    async fn outcome(
        &self,
        route: Route,
        request: &Request,
        now: TimestampMs,
    ) -> Result<Response<Body>, RequestError> {
        self.limit.admit(request::grant_text(request), now)?;
        let query = request.uri().query().unwrap_or_default();
        let parameters = &Parameters::read(query, route.parameters())?;
        match route {
            Route::Page => {
                let has_etag = |tag: &str| request::has_etag(request, tag);
                Ok(self.page.answer(request::codings(request), has_etag))
            }
            Route::Health => {
                Ok(respond::json(&json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})))
            }
            Route::Apps => self.overview(request, now).await,
            Route::Metrics => self.metrics(request, parameters, now).await,
            Route::Latest => self.latest(request, now).await,
            Route::Summary => self.summary(request, parameters, now).await,
            Route::Series => self.series(request, now).await,
            Route::Logs => self.log_entries(request, parameters, now).await,
        }
    }

    async fn metrics(
        &self,
        request: &Request,
        parameters: &Parameters,
        now: TimestampMs,
    ) -> Result<Response<Body>, RequestError> {
        let app = self.viewable(request, now).await?;
        let query = self.query(parameters, &app, now)?;
        self.limit.count_points(request::grant_text(request), query.span.window.points(), now);
        let budget = ReadBudget::default();
        let reads = self.reader(&budget).read(&app, &query, now).await?;
        self.limit.count_bytes(request::grant_text(request), budget.taken(), now);
        let validity = Validity::of_window(request, &[reads.fingerprint()], query.span.window, now);
        respond::revalidated(request, &validity, || {
            let complete_to = reads.complete_to;
            let answer = folded(&app, &query, reads)?.finish(complete_to)?;
            Ok(match request::media_type(request) {
                MediaType::Json => respond::json(&answer),
                MediaType::Csv => respond::csv(answer.to_csv()),
            })
        })
    }

    /// One row for each series over the whole window, compared with the window before.
    async fn summary(
        &self,
        request: &Request,
        parameters: &Parameters,
        now: TimestampMs,
    ) -> Result<Response<Body>, RequestError> {
        let app = self.viewable(request, now).await?;
        let query = self.query(parameters, &app, now)?.without_aggregates();
        let window = query.span.window;
        self.limit.count_points(request::grant_text(request), 2 * window.points(), now);
        let mut query_before = query.clone();
        query_before.span.window = window.before();
        let budget = ReadBudget::default();
        let reader = self.reader(&budget);
        let (reads, reads_before) =
            futures_util::try_join!(reader.read(&app, &query, now), reader.read(&app, &query_before, now))?;
        self.limit.count_bytes(request::grant_text(request), budget.taken(), now);
        let parts = [reads.fingerprint(), reads_before.fingerprint()];
        let validity = Validity::of_window(request, &parts, window, now);
        respond::revalidated(request, &validity, || {
            let complete_to = reads.complete_to;
            let totals = folded(&app, &query, reads)?.into_totals()?;
            let before = folded(&app, &query_before, reads_before)?.into_totals()?;
            let answer = SummaryAnswer::new(app.id.clone(), &query.span, complete_to, totals, &before);
            Ok(respond::json(&answer))
        })
    }

    /// The history query of `app` in `parameters`.
    fn query(&self, parameters: &Parameters, app: &App, now: TimestampMs) -> Result<HistoryQuery, Rejection> {
        HistoryQuery::read(|name| parameters.all(name).collect(), &self.retention_of(app), now)
    }

    fn retention_of(&self, app: &App) -> Retention {
        app.retention.with_defaults(self.rollups.retention())
    }

    fn reader<'s>(&'s self, budget: &'s ReadBudget) -> WindowReader<'s> {
        WindowReader { rollups: &self.rollups, reports: &self.reports, cache: &self.cache, budget }
    }

    /// The application in the path, if the caller may view it.
    async fn viewable(&self, request: &Request, now: TimestampMs) -> Result<Arc<App>, RequestError> {
        let parameters = request.path_parameters();
        // Without one the empty id is rejected as invalid.
        let id = parameters.first("appId").unwrap_or_default();
        let id = AppId::new(id).map_err(|demand| Rejection::invalid("appId", demand))?;
        let grant = request::grant(request);
        let view = |app: Option<&App>| authorise(grant.as_ref(), Action::View, app, now);
        Ok(self.app_cache.authorise(&id, now, view).await?.into_result()?)
    }
}

/// The fold of everything that was read for `query`.
fn folded(app: &App, query: &HistoryQuery, reads: WindowReads) -> Result<HistoryFold, Rejection> {
    let mut fold = HistoryFold::new(app.id.clone(), query.clone());
    log_invalid(app, reads.fold_into(&mut fold)?);
    Ok(fold)
}

fn log_invalid(app: &App, documents: usize) {
    if documents > 0 {
        tracing::error!(app = %app.id, documents, "invalid stored documents skipped");
    }
}
