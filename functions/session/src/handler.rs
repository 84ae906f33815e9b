//! From a WebSocket event to what the conversation wants, and back to API Gateway.
//!
//! Owns the order of one invocation and where its frames go: the first one into the result on a route that answers
//! by itself, all others to the connection. A fault becomes `unavailable` here, never silence on such a route.

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use nsl_auth::token::TrustedKeys;
use nsl_aws::apps::AppCache;
use nsl_aws::audience::Audience;
use nsl_aws::boot::Clients;
use nsl_aws::commands::Commands;
use nsl_aws::connections_api::ConnectionsApi;
use nsl_aws::counters::{Counter, Counters};
use nsl_aws::event::{SocketEvent, SocketEventKind, answer};
use nsl_aws::fan_out::FanOut;
use nsl_aws::fault::Fault;
use nsl_aws::logs::Logs;
use nsl_aws::publishers::Publishers;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::Rollups;
use nsl_aws::sessions::Sessions;
use nsl_aws::subscriptions::Subscriptions;
use nsl_aws::unauthenticated::UnauthenticatedConnections;
use nsl_domain::app::MAX_CONNECTIONS;
use nsl_domain::conversation::{Conversation, Move, Standing, Tally, Verdict};
use nsl_domain::frame::control::{ANSWERED_BY_ROUTE, ControlFrame, Request};
use nsl_domain::frame::envelope::RejectedFrame;
use nsl_domain::frame::outbound::Outbound;
use nsl_domain::grant::{Grant, GrantedApps};
use nsl_domain::ids::AppId;
use nsl_domain::rollup::Retention;
use nsl_domain::time::TimestampMs;

use crate::familiar::Familiars;
use crate::settings::Settings;

/// The subprotocol that the service speaks; a browser that offers one drops a socket that echoes none.
const SUBPROTOCOL: &str = "nsl.v1";

/// The route of `auth`.
const AUTH_ROUTE: &str = "auth";

/// The function, with its clients.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) app_cache: AppCache,
    pub(crate) sessions: Sessions,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) audience: Audience,
    pub(crate) fan_out: FanOut,
    pub(crate) publishers: Publishers,
    pub(crate) reports: Reports,
    pub(crate) rollups: Rollups,
    pub(crate) logs: Logs,
    pub(crate) commands: Commands,
    pub(crate) trusted: TrustedKeys,
    pub(crate) connections_api: ConnectionsApi,
    pub(crate) familiars: Familiars,
    unauthenticated: UnauthenticatedConnections,
    pub(crate) counters: Counters,
}

impl Session {
    pub(crate) fn new(clients: &Clients, settings: &Settings, trusted: TrustedKeys) -> Self {
        Self {
            app_cache: AppCache::new(clients.apps(&settings.apps_table)),
            sessions: clients.sessions(&settings.connections_table),
            subscriptions: clients.subscriptions(&settings.connections_table),
            audience: clients.audience(&settings.connections_table),
            fan_out: clients.fan_out(&settings.connections_table),
            publishers: clients.publishers(&settings.connections_table),
            reports: clients.reports(&settings.reports_table),
            rollups: clients.rollups(&settings.rollups_table, Retention::default()),
            logs: clients.log_entries(&settings.logs_table),
            commands: clients.commands(&settings.connections_table),
            familiars: Familiars::default(),
            connections_api: clients.connections_api(),
            unauthenticated: clients.unauthenticated(&settings.connections_table),
            counters: Counters::new(&settings.metrics_namespace),
            trusted,
        }
    }

    pub(crate) async fn handle(
        &self,
        event: ApiGatewayWebsocketProxyRequest,
    ) -> Result<ApiGatewayProxyResponse, lambda_runtime::Error> {
        let event = SocketEvent::read(event).ok_or("the event names no connection")?;
        let response = match event.kind {
            SocketEventKind::Connect => self.connect(&event).await,
            SocketEventKind::Disconnect => self.disconnect(&event).await,
            SocketEventKind::Message => self.message(&event).await,
        };
        self.counters.emit(event.arrival);
        Ok(response)
    }

    /// A connection without a session row could never authenticate, and a publisher without its row never be closed
    /// by its app's owner, so a fault refuses the handshake.
    async fn connect(&self, event: &SocketEvent) -> ApiGatewayProxyResponse {
        match self.admit(event).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::info!(connection = %event.connection, "connect refused, its app is full");
                return answer(429, None);
            }
            Err(fault) => {
                tracing::error!(connection = %event.connection, reason = fault.chain(), "connect refused");
                return answer(503, None);
            }
        }
        let mut response = answer(200, None);
        if event.subprotocols.iter().any(|offered| offered == SUBPROTOCOL)
            && let Ok(echoed) = SUBPROTOCOL.parse()
        {
            response.headers.insert("Sec-WebSocket-Protocol", echoed);
        }
        response
    }

    /// Whether the connection is let in: not where its grant names one app and that is full. A grant of several would
    /// cost a query for each.
    async fn admit(&self, event: &SocketEvent) -> Result<bool, Fault> {
        if let Some(GrantedApps::Apps(apps)) = event.grant.as_ref().map(|grant| &grant.reach)
            && let [app] = apps.as_slice()
            && !self.has_room(app, event.arrival).await?
        {
            return Ok(false);
        }
        let publishes = event.grant.as_ref().map(Grant::publishes).unwrap_or_default();
        self.sessions.open(&event.connection, event.role, publishes, event.arrival).await?;
        self.publishers.add(publishes, &event.connection, event.arrival).await?;
        Ok(true)
    }

    /// Whether `app` may have one more connection.
    pub(crate) async fn has_room(&self, app: &AppId, now: TimestampMs) -> Result<bool, Fault> {
        let known = self.app_cache.cached(app, now).await?;
        let most = known.map_or(MAX_CONNECTIONS, |known| known.max_connections());
        self.publishers.has_connection_room(app, most, now).await
    }

    async fn disconnect(&self, event: &SocketEvent) -> ApiGatewayProxyResponse {
        self.familiars.forget(&event.connection);
        match self.forget(event).await {
            Ok(()) => tracing::info!(connection = %event.connection, "disconnected"),
            // What is left behind ends by age, or by the first post that finds nobody.
            Err(fault) => {
                tracing::warn!(connection = %event.connection, reason = fault.chain(), "disconnect left rows");
            }
        }
        answer(200, None)
    }

    async fn forget(&self, event: &SocketEvent) -> Result<(), Fault> {
        let left = self.sessions.close(&event.connection).await?;
        for app in &left.watched {
            self.subscriptions.delete(app, &event.connection).await?;
        }
        for app in &left.published {
            self.publishers.delete(app, &event.connection).await?;
        }
        Ok(())
    }

    async fn message(&self, event: &SocketEvent) -> ApiGatewayProxyResponse {
        let verdict = self.converse(event).await;
        self.count(&verdict.tally);
        let answers_by_itself = ANSWERED_BY_ROUTE.contains(&event.route.as_str());
        let mut frames = verdict.frames.into_iter();
        let body = if answers_by_itself { frames.next() } else { None };
        let rest: Vec<String> = frames.collect();
        if let Err(fault) = self.send(event, &rest, verdict.close).await {
            tracing::warn!(connection = %event.connection, reason = fault.chain(), "an answer was not delivered");
        }
        if verdict.is_of_stranger
            && self.unauthenticated.count_rejected(&event.connection, event.arrival).await
        {
            self.counters.add(Counter::ClosedConnections, 1);
        }
        answer(200, body)
    }

    fn count(&self, tally: &Tally) {
        self.counters.add(Counter::AbsorbedFrames, u64::from(tally.absorbed));
        self.counters.add(Counter::SilencedPublishers, u64::from(tally.silenced));
        self.counters.add(Counter::DroppedLogs, tally.dropped_logs);
    }

    async fn converse(&self, event: &SocketEvent) -> Verdict {
        let frame = match ControlFrame::read(&event.body) {
            Ok(frame) => frame,
            Err(refused) => return self.refuse(refused, event),
        };
        // Who was granted something at the handshake may prove only that, in either dialect.
        let is_confirmation = event.grant.is_some() && matches!(frame.request, Request::Auth { .. });
        if frame.request.is_legacy() && !is_confirmation {
            return self.converse_legacy(frame, event).await;
        }
        // A library behind a relay that adds its key proves it anew for ever, and is never closed for its frames.
        if !is_confirmation && let Err(verdict) = self.familiars.hear_modern(&frame, event) {
            return verdict;
        }
        let id = frame.id.clone();
        let standing = match self.standing(event, &frame.request).await {
            Ok(standing) => standing,
            Err(fault) => {
                tracing::error!(connection = %event.connection, reason = fault.chain(), "session not read");
                return Verdict { frames: vec![Outbound::unavailable(id).render()], ..Verdict::default() };
            }
        };
        let (mut conversation, first) = Conversation::hear(frame, standing, event.arrival);
        self.go_on(&mut conversation, first, event).await
    }

    async fn converse_legacy(&self, frame: ControlFrame, event: &SocketEvent) -> Verdict {
        let familiarity = match self.familiars.attend(&frame.request, event) {
            Ok(familiarity) => familiarity,
            Err(verdict) => return verdict,
        };
        let (mut conversation, first) = Conversation::hear_legacy(frame, familiarity, event.arrival);
        let verdict = self.go_on(&mut conversation, first, event).await;
        if let Some(remembered) = conversation.remembered() {
            self.familiars.remember(remembered, event);
        }
        verdict
    }

    async fn go_on(&self, conversation: &mut Conversation, first: Move, event: &SocketEvent) -> Verdict {
        let mut next = first;
        loop {
            match next {
                Move::End(verdict) => return verdict,
                Move::Ask(question) => next = conversation.learn(self.perform(question, event).await),
            }
        }
    }

    /// The refusal of a frame that cannot be read. A wrong `auth` has a count of its own, and so has a connection that
    /// is known to speak the library's dialect; of all others the unauthenticated are counted.
    fn refuse(&self, refused: RejectedFrame, event: &SocketEvent) -> Verdict {
        let RejectedFrame { rejection, id } = refused;
        tracing::info!(connection = %event.connection, code = rejection.code.as_str(), "frame refused");
        self.counters.add(Counter::rejections(rejection.code), 1);
        let is_auth = event.route == AUTH_ROUTE && event.grant.is_none();
        if (is_auth || self.familiars.speaks_legacy(event))
            && let Err(verdict) = self.familiars.hear(event)
        {
            return verdict;
        }
        let is_of_stranger = event.grant.is_none() && event.route != AUTH_ROUTE;
        let refusal = Outbound::Error { rejection, id };
        Verdict { frames: vec![refusal.render()], is_of_stranger, ..Verdict::default() }
    }

    /// What the connection may do: what the handshake granted, else what its session row says. `ping` needs neither,
    /// and costs no call.
    async fn standing(&self, event: &SocketEvent, request: &Request) -> Result<Standing, Fault> {
        if event.grant.is_some() || matches!(request, Request::Ping) {
            return Ok(Standing { grant: event.grant.clone(), is_fixed: true });
        }
        let session = self.sessions.find(&event.connection).await?;
        Ok(Standing { grant: session.and_then(|session| session.grant), is_fixed: false })
    }

    async fn send(&self, event: &SocketEvent, frames: &[String], close: bool) -> Result<(), Fault> {
        for frame in frames {
            self.connections_api.post(&event.connection, frame).await?;
        }
        if close {
            tracing::info!(connection = %event.connection, "closed for what it sent");
            self.counters.add(Counter::ClosedConnections, 1);
            self.connections_api.close(&event.connection).await?;
        }
        Ok(())
    }
}
