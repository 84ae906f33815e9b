//! From a frame of reports to stored items, an answer and live frames.
//!
//! Owns the order: read, authorise, store, then broadcast and answer. One bad report loses no other; a frame that
//! names an application it may not report for stores nothing. Ruled by design.md §7 and §8.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use futures_util::{StreamExt, stream};
use nsl_aws::apps::AppCache;
use nsl_aws::audience::Audience;
use nsl_aws::boot::Clients;
use nsl_aws::cache::Cache;
use nsl_aws::connections_api::ConnectionsApi;
use nsl_aws::counters::{Counter, Counters};
use nsl_aws::event::{SocketEvent, answer};
use nsl_aws::fan_out::FanOut;
use nsl_aws::fault::Fault;
use nsl_aws::publishers::Publishers;
use nsl_aws::reports::Reports;
use nsl_aws::sessions::Sessions;
use nsl_aws::unauthenticated::UnauthenticatedConnections;
use nsl_domain::app::App;
use nsl_domain::frame::draft::{ReportDraft, ReportSender};
use nsl_domain::frame::envelope::{FrameId, RejectedFrame};
use nsl_domain::frame::outbound::{Outbound, RejectedReport};
use nsl_domain::frame::publish::{ReportEntry, ReportFrame};
use nsl_domain::grant::{Action, Grant, authorise};
use nsl_domain::ids::{AppId, ConnectionId, Source};
use nsl_domain::rejection::Rejection;
use nsl_domain::report::Report;
use nsl_domain::time::TimestampMs;

use crate::limits::{Limits, Load};
use crate::pace::Pace;
use crate::processes::Processes;
use crate::refusals::Refusals;
use crate::settings::Settings;

/// Reports of one frame that are stored at a time.
const CONCURRENT_WRITES: usize = 16;

/// The function, with its clients and what it remembers.
#[derive(Debug)]
pub(crate) struct Ingest {
    pub(crate) app_cache: AppCache,
    sessions: Sessions,
    pub(crate) reports: Reports,
    pub(crate) publishers: Publishers,
    pub(crate) processes: Processes,
    grants: Cache<ConnectionId, Grant>,
    pub(crate) retention_ms: i64,
    pub(crate) fan_out: FanOut,
    pub(crate) audience: Audience,
    pub(crate) connections_api: ConnectionsApi,
    pub(crate) pace: Pace,
    limits: Limits,
    refusals: Refusals,
    unauthenticated: UnauthenticatedConnections,
    pub(crate) counters: Counters,
}

/// The applications of a frame, each with leave to report for it.
#[derive(Default)]
struct Admitted {
    apps: BTreeMap<AppId, Arc<App>>,
    /// Whether the leave is that of the library's own `auth`: nothing else tells that a frame is the library's.
    is_legacy: bool,
}

/// Why a whole frame is refused.
enum Refusal {
    /// The connection has proved nothing.
    Stranger,
    Rejected(Rejection),
    Failed(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// What became of the reports of a frame.
#[derive(Default)]
struct Outcome {
    stored: Vec<Report>,
    /// Second copies, which their first ones stand for.
    absorbed: usize,
    rejected: Vec<RejectedReport>,
}

impl Ingest {
    pub(crate) fn new(clients: &Clients, settings: &Settings) -> Self {
        Self {
            app_cache: AppCache::new(clients.apps(&settings.apps_table)),
            sessions: clients.sessions(&settings.connections_table),
            fan_out: clients.fan_out(&settings.connections_table),
            audience: clients.audience(&settings.connections_table),
            reports: clients.reports(&settings.reports_table),
            publishers: clients.publishers(&settings.connections_table),
            processes: Processes::default(),
            connections_api: clients.connections_api(),
            grants: Cache::default(),
            pace: Pace::default(),
            limits: Limits::default(),
            refusals: Refusals::default(),
            unauthenticated: clients.unauthenticated(&settings.connections_table),
            counters: Counters::new(&settings.metrics_namespace),
            retention_ms: settings.retention_ms,
        }
    }

    /// Deals with one frame. Its route is one-way: the result has no body, answers are posted.
    pub(crate) async fn handle(
        &self,
        event: ApiGatewayWebsocketProxyRequest,
    ) -> Result<ApiGatewayProxyResponse, lambda_runtime::Error> {
        let event = SocketEvent::read(event).ok_or("the event names no connection")?;
        match ReportFrame::read(&event.body) {
            Ok(publication) => self.publish(publication, &event).await,
            Err(RejectedFrame { rejection, id }) => {
                self.refuse(&event, rejection, id).await;
                if event.grant.is_none() && self.grants.get(&event.connection, event.arrival).is_none() {
                    self.lose_patience(&event).await;
                }
            }
        }
        self.counters.emit(event.arrival);
        Ok(answer(200, None))
    }

    async fn publish(&self, publication: ReportFrame, event: &SocketEvent) {
        let admitted = match self.admit(&publication, event).await {
            Ok(admitted) => admitted,
            Err(Refusal::Rejected(rejection)) => return self.refuse(event, rejection, publication.id).await,
            Err(Refusal::Stranger) => {
                self.refuse(event, Rejection::unauthorized(), publication.id).await;
                return self.lose_patience(event).await;
            }
            Err(Refusal::Failed(fault)) => {
                tracing::error!(connection = %event.connection, reason = fault.chain(), "publisher not authorised");
                return self.refuse(event, Rejection::unavailable(), publication.id).await;
            }
        };
        let loads = loads(&publication, &admitted, event.arrival);
        if let Err(rejection) = self.limits.admit(&event.connection, &loads, event.arrival) {
            if admitted.is_legacy {
                // The library understands no refusal; it goes on sending whatever it is told.
                tracing::info!(connection = %event.connection, code = rejection.code.as_str(), "frame dropped");
                self.counters.add(Counter::rejections(rejection.code), 1);
                return;
            }
            return self.refuse(event, rejection, publication.id).await;
        }
        let outcome = self.store(publication.entries, &admitted, event).await;
        if outcome.absorbed > 0 {
            // The library's frames have one report each: that of its second copy was counted with the first.
            self.limits.give_back(&event.connection, &loads);
        }
        log(event, &outcome);
        for refused in &outcome.rejected {
            self.counters.add(Counter::rejections(refused.rejection.code), 1);
        }
        let reply = reply(publication.id, publication.is_batch, &outcome);
        let answered = async {
            if let Some(frame) = reply {
                self.post(event, &frame).await;
            }
        };
        futures_util::join!(answered, self.broadcast(&outcome.stored, event.arrival));
    }

    /// The applications that the frame names, if the connection may report for every one of them. What an in-band
    /// `auth` proved is believed for a minute, but refuses nothing: a later one may have proved more.
    async fn admit(&self, publication: &ReportFrame, event: &SocketEvent) -> Result<Admitted, Refusal> {
        if let Some(grant) = &event.grant {
            return self.admit_by(grant, publication, event).await;
        }
        if let Some(grant) = self.grants.get(&event.connection, event.arrival) {
            match self.admit_by(&grant, publication, event).await {
                Err(Refusal::Rejected(_)) => {}
                admitted_or_failed => return admitted_or_failed,
            }
        }
        let grant = self.proved_grant(event).await?;
        let grant = grant.ok_or(Refusal::Stranger)?;
        self.admit_by(&grant, publication, event).await
    }

    async fn admit_by(
        &self,
        grant: &Grant,
        publication: &ReportFrame,
        event: &SocketEvent,
    ) -> Result<Admitted, Refusal> {
        let judge = |app: Option<&App>| authorise(Some(grant), Action::Publish, app, event.arrival);
        let mut admitted = Admitted { is_legacy: grant.is_legacy(), ..Admitted::default() };
        for app in publication.apps() {
            if admitted.apps.contains_key(app) {
                continue;
            }
            let judged = self.app_cache.authorise(app, event.arrival, judge).await?;
            let known = judged.map_err(Refusal::Rejected)?;
            admitted.apps.extend(known.map(|known| (app.clone(), known)));
        }
        Ok(admitted)
    }

    /// What an in-band `auth` has proved, as the session row says it.
    async fn proved_grant(&self, event: &SocketEvent) -> Result<Option<Grant>, Fault> {
        let session = self.sessions.find(&event.connection).await?;
        let grant = session.and_then(|session| session.grant);
        if let Some(grant) = &grant {
            self.grants.insert(event.connection.clone(), grant.clone(), event.arrival);
        }
        Ok(grant)
    }

    async fn store(&self, entries: Vec<ReportEntry>, admitted: &Admitted, event: &SocketEvent) -> Outcome {
        let sender =
            ReportSender { source: Source::of_connection(&event.connection), arrival: event.arrival };
        let sender = &sender;
        let stored = entries.into_iter().enumerate().map(|(index, entry)| async move {
            let stored = match entry.outcome {
                Ok(draft) => self.store_one((index, draft), sender, (entry.app, admitted), event).await,
                Err(rejection) => Err(rejection),
            };
            stored.map_err(|rejection| (index, rejection))
        });
        // In the frame's order, whichever write ends first.
        let mut ended = stream::iter(stored).buffered(CONCURRENT_WRITES);
        let mut outcome = Outcome::default();
        while let Some(one) = ended.next().await {
            match one {
                Ok(Some(report)) => outcome.stored.push(report),
                Ok(None) => outcome.absorbed += 1,
                Err((index, rejection)) => outcome.rejected.push(RejectedReport::new(index, rejection)),
            }
        }
        outcome
    }

    /// Stores one report of the frame; `None` where it is a second copy.
    async fn store_one(
        &self,
        (index, draft): (usize, ReportDraft),
        sender: &ReportSender,
        (app, admitted): (Option<AppId>, &Admitted),
        event: &SocketEvent,
    ) -> Result<Option<Report>, Rejection> {
        let app = app.and_then(|app| admitted.apps.get(&app)).ok_or_else(Rejection::unauthorized)?;
        if admitted.is_legacy {
            return self.store_legacy((index, draft), sender, app, event).await;
        }
        let report = draft.into_report(sender)?;
        match self.reports.store(&report, app, app.raw_retention_ms(self.retention_ms)).await {
            Ok(()) => Ok(Some(report)),
            Err(fault) => {
                tracing::error!(app = %report.app, reason = fault.chain(), "report not stored");
                Err(Rejection::unavailable())
            }
        }
    }

    /// Counts a stranger's refused frame, and the end of its connection where that was one too many.
    async fn lose_patience(&self, event: &SocketEvent) {
        if self.unauthenticated.count_rejected(&event.connection, event.arrival).await {
            self.counters.add(Counter::ClosedConnections, 1);
        }
    }

    async fn refuse(&self, event: &SocketEvent, rejection: Rejection, id: Option<FrameId>) {
        self.counters.add(Counter::rejections(rejection.code), 1);
        if !self.refusals.are_told(&event.connection, event.arrival) {
            self.counters.add(Counter::AbsorbedFrames, 1);
            return;
        }
        tracing::info!(connection = %event.connection, code = rejection.code.as_str(), "frame refused");
        self.post(event, &Outbound::Error { rejection, id }).await;
    }

    /// Posts an answer to the sender. One that has left misses nothing.
    async fn post(&self, event: &SocketEvent, frame: &Outbound) {
        if let Err(fault) = self.connections_api.post(&event.connection, &frame.render()).await {
            tracing::warn!(connection = %event.connection, reason = fault.chain(), "an answer was not delivered");
        }
    }
}

/// What the frame brings to each application.
fn loads(publication: &ReportFrame, admitted: &Admitted, now: TimestampMs) -> BTreeMap<AppId, Load> {
    let mut loads = BTreeMap::new();
    for entry in &publication.entries {
        let Some((app, known)) = entry.app.as_ref().and_then(|app| admitted.apps.get_key_value(app)) else {
            continue;
        };
        loads.entry(app.clone()).or_insert_with(|| Load::of(known, now)).add(entry.bytes);
    }
    loads
}

/// One line per frame, told only where a report was refused: at a report a second, a line for each would cost as much
/// as storing it.
fn log(event: &SocketEvent, outcome: &Outcome) {
    let (stored, rejected) = (outcome.stored.len(), outcome.rejected.len());
    let connection = &event.connection;
    match outcome.rejected.first() {
        Some(first) => {
            let code = first.rejection.code.as_str();
            tracing::info!(%connection, stored, rejected, code, "reports refused");
        }
        None => tracing::debug!(%connection, stored, "reports stored"),
    }
}

/// The one frame that answers a frame of reports: an `ack` where it has an id; else the first refusal, if any.
fn reply(id: Option<FrameId>, is_batch: bool, outcome: &Outcome) -> Option<Outbound> {
    let rejected = outcome.rejected.clone();
    if let Some(id) = id {
        return Some(Outbound::Ack { id, accepted: outcome.stored.len() + outcome.absorbed, rejected });
    }
    let first = rejected.into_iter().next()?;
    let place = if is_batch { format!("data[{}]", first.index) } else { "data".to_owned() };
    let mut rejection = first.rejection;
    rejection.field = Some(match rejection.field {
        Some(field) => format!("{place}.{field}"),
        None => place,
    });
    Some(Outbound::Error { rejection, id: None })
}
