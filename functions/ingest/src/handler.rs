//! Handles a frame of reports: read, authorise, check the rates, store, then broadcast and reply.

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use futures_util::{StreamExt, stream};
use nsl_aws::boot::Clients;
use nsl_aws::connections_api::ConnectionsApi;
use nsl_aws::counters::{Counter, Counters};
use nsl_aws::deadline::before_replies;
use nsl_aws::event::{SocketEvent, answer};
use nsl_aws::isolation::isolated;
use nsl_aws::logging;
use nsl_aws::reports::Reports;
use nsl_aws::unauthenticated::UnauthenticatedConnections;
use nsl_domain::conversation::Reply;
use nsl_domain::dialect::Dialect;
use nsl_domain::frame::draft::{ReportDraft, ReportSender};
use nsl_domain::frame::envelope::{FrameId, RejectedFrame};
use nsl_domain::frame::outbound::{Outbound, RejectedReport};
use nsl_domain::frame::publish::{ReportEntry, ReportFrame};
use nsl_domain::grant::Role;
use nsl_domain::ids::Source;
use nsl_domain::rejection::Rejection;
use nsl_domain::report::Report;

use crate::authorise::{AuthorisedApps, Authoriser, NotAuthorised};
use crate::deliver::Broadcaster;
use crate::legacy::LegacyReports;
use crate::limits::Limits;
use crate::rejection_limiter::RejectionLimiter;
use crate::settings::Settings;

/// Reports of one frame that are stored at a time.
const CONCURRENT_WRITES: usize = 16;

/// The function: its clients, caches and limiters.
#[derive(Debug)]
pub(crate) struct Ingest {
    authoriser: Authoriser,
    limits: Limits,
    reports: Reports,
    retention_ms: i64,
    legacy_reports: LegacyReports,
    broadcaster: Broadcaster,
    pub(crate) connections_api: ConnectionsApi,
    rejection_limiter: RejectionLimiter,
    unauthenticated: UnauthenticatedConnections,
    pub(crate) counters: Counters,
}

/// What a frame that is rejected as a whole is answered with.
#[derive(Debug, Clone, Default)]
struct FrameHead {
    id: Option<FrameId>,
    /// How many reports it has; 0 of one that cannot be read.
    reports: usize,
}

/// The results of the reports of a frame.
#[derive(Default)]
struct Outcome {
    stored: Vec<Report>,
    /// Reports of the library that were stored before.
    duplicates: usize,
    rejected: Vec<RejectedReport>,
}

impl Ingest {
    pub(crate) fn new(clients: &Clients, settings: &Settings) -> Self {
        Self {
            authoriser: Authoriser::new(clients, settings),
            limits: Limits::default(),
            reports: clients.reports(&settings.reports_table),
            retention_ms: settings.retention_ms,
            legacy_reports: LegacyReports::new(clients, settings),
            broadcaster: Broadcaster::new(clients, settings),
            connections_api: clients.connections_api(),
            rejection_limiter: RejectionLimiter::default(),
            unauthenticated: clients.unauthenticated(&settings.connections_table),
            counters: clients.counters(&settings.metrics_namespace),
        }
    }

    /// Handles one frame. Its route is one-way: the response has no body, replies are posted.
    pub(crate) async fn handle(
        &self,
        event: ApiGatewayWebsocketProxyRequest,
    ) -> Result<ApiGatewayProxyResponse, lambda_runtime::Error> {
        let event =
            SocketEvent::read(event).ok_or_else(|| logging::failed("the event names no connection"))?;
        let mut head = FrameHead::default();
        let handled = isolated("handle a frame of reports", self.receive_frame(&event, &mut head)).await;
        if let Err(fault) = handled {
            tracing::error!(connection = %event.connection, reason = fault.chain(), "frame not handled");
            self.reject(&event, Rejection::unavailable(), head).await;
        }
        self.counters.emit(event.arrival);
        Ok(answer(200, None))
    }

    /// Handles one frame, and sets its `head` before anything else can fail.
    async fn receive_frame(&self, event: &SocketEvent, head: &mut FrameHead) {
        match ReportFrame::read(&event.body) {
            Ok(frame) => {
                *head = FrameHead { id: frame.id.clone(), reports: frame.entries.len() };
                self.publish(frame, head.clone(), event).await;
            }
            Err(RejectedFrame { rejection, id }) => {
                if let Err(fault) = before_replies(self.authoriser.find_grant(event)).await {
                    tracing::warn!(connection = %event.connection, reason = fault.chain(), "session not read");
                }
                self.reject(event, rejection, FrameHead { id, reports: 0 }).await;
                if !self.authoriser.has_grant(event) {
                    self.count_unauthenticated(event).await;
                }
            }
        }
    }

    async fn publish(&self, frame: ReportFrame, head: FrameHead, event: &SocketEvent) {
        let authorised = match before_replies(self.authoriser.authorise(&frame, event)).await {
            Ok(authorised) => authorised,
            Err(NotAuthorised::Rejected(rejection)) => return self.reject(event, rejection, head).await,
            Err(NotAuthorised::Unauthenticated) => {
                self.reject(event, Rejection::unauthorized(), head).await;
                return self.count_unauthenticated(event).await;
            }
            Err(NotAuthorised::Refused { rejection, reply }) => {
                self.send(event, &reply).await;
                return self.reject_in(Dialect::Legacy, event, rejection, head).await;
            }
            Err(NotAuthorised::Failed(fault)) => {
                tracing::error!(connection = %event.connection, reason = fault.chain(), "publisher not authorised");
                let may_be_library = event.role == Role::Program && frame.is_of_library();
                let dialect = self.authoriser.known_dialect(event);
                let dialect =
                    dialect.unwrap_or(if may_be_library { Dialect::Legacy } else { Dialect::Modern });
                return self.reject_in(dialect, event, Rejection::unavailable(), head).await;
            }
        };
        let source = Source::of_connection(&event.connection);
        let sender = ReportSender { source, arrival: event.arrival };
        let loads = authorised.loads(&frame, &sender);
        if let Err(rejection) = self.limits.admit(&event.connection, &loads, event.arrival) {
            self.post_all(event, &authorised.welcome).await;
            return self.reject(event, rejection, head).await;
        }
        let outcome = before_replies(self.store(frame.entries, &sender, &authorised, event)).await;
        if outcome.is_duplicate() {
            // It was counted when it was stored.
            self.limits.give_back(&event.connection, &loads);
        }
        outcome.log(event);
        for rejected in &outcome.rejected {
            self.counters.add(Counter::rejections(rejected.rejection.code), 1);
        }
        let reply = async {
            self.post_all(event, &authorised.welcome).await;
            if let Some(reply) = outcome.reply(frame.id, frame.is_batch, authorised.dialect) {
                self.post(event, &reply).await;
            }
        };
        let app_cache = &self.authoriser.app_cache;
        let broadcast = self.broadcaster.broadcast(&outcome.stored, app_cache, &self.counters, event.arrival);
        futures_util::join!(reply, before_replies(broadcast));
    }

    async fn store(
        &self,
        entries: Vec<ReportEntry>,
        sender: &ReportSender,
        authorised: &AuthorisedApps,
        event: &SocketEvent,
    ) -> Outcome {
        let writes = entries.into_iter().enumerate().map(|(index, entry)| async move {
            let stored = match entry.outcome {
                Ok(draft) => isolated("store a report", self.store_report(draft, sender, authorised, event))
                    .await
                    .unwrap_or_else(|fault| {
                        tracing::error!(connection = %event.connection, reason = fault.chain(), "report not stored");
                        Err(Rejection::unavailable())
                    }),
                Err(rejection) => Err(rejection),
            };
            stored.map_err(|rejection| RejectedReport::new(index, rejection))
        });
        // In the order of the frame, not in that of the writes' ends.
        let mut results = stream::iter(writes).buffered(CONCURRENT_WRITES);
        let mut outcome = Outcome::default();
        while let Some(result) = results.next().await {
            match result {
                Ok(Some(report)) => outcome.stored.push(report),
                Ok(None) => outcome.duplicates += 1,
                Err(rejected) => outcome.rejected.push(rejected),
            }
        }
        outcome
    }

    /// Stores one report; `None` if it is a duplicate.
    async fn store_report(
        &self,
        draft: ReportDraft,
        sender: &ReportSender,
        authorised: &AuthorisedApps,
        event: &SocketEvent,
    ) -> Result<Option<Report>, Rejection> {
        let app = authorised.apps.get(&draft.app).ok_or_else(Rejection::unauthorized)?;
        if authorised.dialect == Dialect::Legacy {
            return self.legacy_reports.store(draft, sender, app, event, &self.counters).await;
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

    /// Counts a rejected frame of an unauthenticated connection, and closes it after too many.
    async fn count_unauthenticated(&self, event: &SocketEvent) {
        if self.unauthenticated.count_rejected(&event.connection, event.arrival).await {
            self.counters.add(Counter::ClosedConnections, 1);
        }
    }

    /// Sends what a refused program gets, and closes its connection if it was refused for too long.
    async fn send(&self, event: &SocketEvent, reply: &Reply) {
        self.counters.add(Counter::SilencedPublishers, u64::from(reply.counts.refused_programs));
        self.post_all(event, &reply.frames).await;
        if !reply.close {
            return;
        }
        tracing::info!(connection = %event.connection, "connection closed after rejected frames");
        self.counters.add(Counter::ClosedConnections, 1);
        if let Err(fault) = self.connections_api.close(&event.connection).await {
            tracing::warn!(connection = %event.connection, reason = fault.chain(), "connection not closed");
        }
    }

    /// Rejects a whole frame in the dialect of its connection.
    async fn reject(&self, event: &SocketEvent, rejection: Rejection, head: FrameHead) {
        let dialect = self.authoriser.known_dialect(event).unwrap_or(Dialect::Modern);
        self.reject_in(dialect, event, rejection, head).await;
    }

    /// Rejects a whole frame. The library is sent no error, which it ignores and goes on sending; of a frame with an id,
    /// which it does not send, each report is rejected by the acknowledgement.
    async fn reject_in(&self, dialect: Dialect, event: &SocketEvent, rejection: Rejection, head: FrameHead) {
        self.counters.add(Counter::rejections(rejection.code), 1);
        let code = rejection.code.as_str();
        let reply = match (dialect, head.id) {
            (Dialect::Legacy, None) => {
                tracing::info!(connection = %event.connection, code, "frame dropped");
                return;
            }
            (Dialect::Legacy, Some(id)) => {
                let indices = 0..head.reports.max(1);
                let rejected = indices.map(|index| RejectedReport::new(index, rejection.clone())).collect();
                Outbound::Ack { id, accepted: 0, rejected }
            }
            (Dialect::Modern, id) => Outbound::Error { rejection, id },
        };
        if !self.rejection_limiter.admit(&event.connection, event.arrival) {
            self.counters.add(Counter::AbsorbedFrames, 1);
            return;
        }
        tracing::info!(connection = %event.connection, code, "frame rejected");
        self.post(event, &reply).await;
    }

    /// Posts a reply to the sender.
    async fn post(&self, event: &SocketEvent, frame: &Outbound) {
        self.post_all(event, &[frame.render()]).await;
    }

    /// Posts frames to the sender. A failure is only logged: the sender may have disconnected.
    async fn post_all(&self, event: &SocketEvent, frames: &[String]) {
        for frame in frames {
            if let Err(fault) = self.connections_api.post(&event.connection, frame).await {
                tracing::warn!(connection = %event.connection, reason = fault.chain(), "reply not delivered");
            }
        }
    }
}

impl Outcome {
    /// Whether every report of the frame was stored before.
    fn is_duplicate(&self) -> bool {
        self.duplicates > 0 && self.stored.is_empty() && self.rejected.is_empty()
    }

    /// Logs rejected reports at info, stored ones only at debug: a line for each would cost as much as storing it.
    fn log(&self, event: &SocketEvent) {
        let (stored, rejected) = (self.stored.len(), self.rejected.len());
        let connection = &event.connection;
        match self.rejected.first() {
            Some(first) => {
                let code = first.rejection.code.as_str();
                tracing::info!(%connection, stored, rejected, code, "reports rejected");
            }
            None => tracing::debug!(%connection, stored, "reports stored"),
        }
    }

    /// The reply to the frame: an `ack` if it has an id; otherwise the first rejection, if any, but not to the library.
    fn reply(&self, id: Option<FrameId>, is_batch: bool, dialect: Dialect) -> Option<Outbound> {
        if let Some(id) = id {
            let accepted = self.stored.len() + self.duplicates;
            return Some(Outbound::Ack { id, accepted, rejected: self.rejected.clone() });
        }
        if dialect == Dialect::Legacy {
            return None;
        }
        let RejectedReport { index, mut rejection, .. } = self.rejected.first()?.clone();
        let path = if is_batch { format!("data[{index}]") } else { "data".to_owned() };
        rejection.field = Some(match rejection.field {
            Some(field) => format!("{path}.{field}"),
            None => path,
        });
        Some(Outbound::Error { rejection, id: None })
    }
}
