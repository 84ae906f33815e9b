//! From an HTTP call to an answer out of the stored reports.
//!
//! Owns the routes and who may ask. Folds raw reports page by page, so that memory grows with points and series, not
//! with reports. Ruled by protocol.md §3.

use std::sync::Arc;

use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use lambda_http::http::header;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use nsl_aws::apps::{Apps, KnownApps};
use nsl_aws::boot::Clients;
use nsl_aws::clock;
use nsl_aws::event::GRANT;
use nsl_aws::fault::Fault;
use nsl_aws::reports::Reports;
use nsl_domain::app::App;
use nsl_domain::grant::{Action, Grant, authorise};
use nsl_domain::history::{HistoryFold, HistoryQuery, LatestFold};
use nsl_domain::ids::AppId;
use nsl_domain::rejection::Rejection;
use nsl_domain::report::MAX_AHEAD_MS;
use nsl_domain::time::{HOUR_MS, TimestampMs};
use serde_json::{Value, json};

use crate::respond;
use crate::settings::Settings;

/// How far back the last report of a source is looked for.
const LATEST_WITHIN_MS: i64 = HOUR_MS;

/// The function, with its clients.
#[derive(Debug)]
pub(crate) struct History {
    apps: Apps,
    known_apps: KnownApps,
    reports: Reports,
    retention_ms: i64,
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
    pub(crate) fn new(clients: &Clients, settings: &Settings) -> Self {
        let apps = clients.apps(&settings.apps_table);
        Self {
            known_apps: KnownApps::new(apps.clone()),
            apps,
            reports: clients.reports(&settings.reports_table),
            retention_ms: settings.retention_ms,
        }
    }

    pub(crate) fn apps(&self) -> &Apps {
        &self.apps
    }

    pub(crate) async fn handle(&self, request: Request) -> Result<Response<Body>, lambda_http::Error> {
        Ok(self.answer(&request, clock::now()).await)
    }

    /// The answer to `request` at `now`.
    pub(crate) async fn answer(&self, request: &Request, now: TimestampMs) -> Response<Body> {
        let outcome = match route(request) {
            "GET /health" => {
                Ok(respond::json(&json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})))
            }
            "GET /apps/{appId}/metrics" => self.metrics(request, now).await,
            "GET /apps/{appId}/metrics/latest" => self.latest(request, now).await,
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
        let parameters = request.query_string_parameters();
        let query = HistoryQuery::read(|name| parameters.first(name), now)?;
        let window = query.span.window;
        // What is past its age may still be stored, and what is younger may not be older than the window.
        let from = window.from().max(now.plus_ms(-self.retention_ms));
        let mut fold = HistoryFold::new(app.id.clone(), query);
        let mut unreadable = 0_usize;
        self.reports
            .for_each(&app, (from, window.to()), now, |report| {
                let hash = report.document.hash();
                let added = fold.add(report.timestamp, &report.source, hash, report.document.as_str());
                unreadable += usize::from(added.is_err());
            })
            .await?;
        if unreadable > 0 {
            tracing::error!(app = %app.id, unreadable, "stored documents cannot be read");
        }
        let answer = fold.finish(now.min(window.to()))?;
        Ok(if wants_csv(request) { respond::csv(answer.to_csv()) } else { respond::json(&answer) })
    }

    async fn latest(&self, request: &Request, now: TimestampMs) -> Result<Response<Body>, Refusal> {
        let app = self.viewable(request, now).await?;
        let span = (now.plus_ms(-LATEST_WITHIN_MS), now.plus_ms(MAX_AHEAD_MS + 1));
        let mut fold = LatestFold::new(app.id.clone());
        self.reports
            .for_each(&app, span, now, |report| {
                let added =
                    fold.add(&report.source, report.timestamp, &report.id(), report.document.as_str());
                if added.is_err() {
                    tracing::error!(app = %app.id, id = report.id(), "a stored document cannot be read");
                }
            })
            .await?;
        Ok(respond::json(&fold.finish()))
    }

    /// The application of the path, if the caller may view it.
    async fn viewable(&self, request: &Request, now: TimestampMs) -> Result<Arc<App>, Refusal> {
        let parameters = request.path_parameters();
        let id = parameters.first("appId").unwrap_or_default();
        let id = AppId::new(id).map_err(|demand| Rejection::invalid("appId", demand))?;
        let grant = grant(request);
        let judge = |app: Option<&App>| authorise(grant.as_ref(), Action::View, app, now);
        let known = self.known_apps.judged(&id, now, judge).await??;
        Ok(known.ok_or_else(Rejection::unauthorized)?)
    }
}

fn context(request: &Request) -> Option<&ApiGatewayV2httpRequestContext> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => Some(context),
        _ => None,
    }
}

/// The route that API Gateway chose, such as `GET /apps/{appId}/metrics`.
fn route(request: &Request) -> &str {
    context(request).and_then(|context| context.route_key.as_deref()).unwrap_or_default()
}

/// What the authorizer granted.
fn grant(request: &Request) -> Option<Grant> {
    let attached = &context(request)?.authorizer.as_ref()?.fields;
    attached.get(GRANT).and_then(Value::as_str).and_then(Grant::from_text)
}

fn wants_csv(request: &Request) -> bool {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/csv"))
}
