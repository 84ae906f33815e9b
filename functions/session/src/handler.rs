//! Passes WebSocket events to the conversation, and its replies to API Gateway.
//!
//! On a route that answers by itself the first frame is the result of the invocation; all others are posted to the
//! connection.

use std::ops::ControlFlow;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use nsl_aws::counters::Counter;
use nsl_aws::deadline::before_replies;
use nsl_aws::event::{SocketEvent, SocketEventKind, answer};
use nsl_aws::fault::Fault;
use nsl_aws::isolation::isolated;
use nsl_aws::logging;
use nsl_domain::conversation::effects::BaseEffects;
use nsl_domain::conversation::{self, AuthContext, FrameCounts, Reply};
use nsl_domain::frame::control::{ANSWERED_BY_ROUTE, ControlFrame, Request};
use nsl_domain::frame::envelope::RejectedFrame;
use nsl_domain::frame::outbound::Outbound;
use nsl_domain::grant::{Grant, GrantedApps, Role};
use nsl_domain::legacy;
use nsl_domain::legacy::frames::LegacyRequest;

use crate::effects::FrameEffects;
use crate::session::Session;

/// The one subprotocol. A browser that offers some closes a socket whose handshake echoes none.
const SUBPROTOCOL: &str = "nsl.v1";

/// The route of `auth`.
const AUTH_ROUTE: &str = "auth";

impl Session {
    pub(crate) async fn handle(
        &self,
        event: ApiGatewayWebsocketProxyRequest,
    ) -> Result<ApiGatewayProxyResponse, lambda_runtime::Error> {
        let event =
            SocketEvent::read(event).ok_or_else(|| logging::failed("the event names no connection"))?;
        let response = match event.kind {
            SocketEventKind::Connect => self.connect(&event).await,
            SocketEventKind::Disconnect => self.disconnect(&event).await,
            SocketEventKind::Message => self.message(&event).await,
        };
        self.counters.emit(event.arrival);
        Ok(response)
    }

    /// A fault rejects the handshake: a connection without a session row could never authenticate, and a publisher
    /// without its row could never be closed by its app's owner.
    async fn connect(&self, event: &SocketEvent) -> ApiGatewayProxyResponse {
        match isolated("open a connection", self.open(event)).await.flatten() {
            Ok(true) => {}
            Ok(false) => {
                tracing::info!(connection = %event.connection, "handshake rejected, the app has reached its limit of connections");
                return answer(429, None);
            }
            Err(fault) => {
                tracing::error!(connection = %event.connection, reason = fault.chain(), "handshake rejected");
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

    /// Stores the rows of a new connection; false if its grant names one app and that has reached its limit. A grant of several
    /// apps is not counted, which would cost a query for each.
    async fn open(&self, event: &SocketEvent) -> Result<bool, Fault> {
        if let Some(GrantedApps::Apps(apps)) = event.grant.as_ref().map(|grant| &grant.reach)
            && let [app] = apps.as_slice()
            && !self.admissions.of(event, &self.app_cache).has_connection_room(app).await?
        {
            return Ok(false);
        }
        let publishes = event.grant.as_ref().map(Grant::publishes).unwrap_or_default();
        self.sessions.open(&event.connection, event.role, publishes, event.arrival).await?;
        if let Some(grant) = &event.grant {
            self.add_publisher(grant, event).await?;
        }
        Ok(true)
    }

    async fn disconnect(&self, event: &SocketEvent) -> ApiGatewayProxyResponse {
        self.connections.remove(&event.connection);
        match isolated("delete the rows of a connection", self.delete_rows(event)).await.flatten() {
            Ok(()) => tracing::info!(connection = %event.connection, "disconnected"),
            // Rows that are left expire, or are deleted by the first post to the gone connection.
            Err(fault) => {
                tracing::warn!(connection = %event.connection, reason = fault.chain(), "rows of closed connection not deleted");
            }
        }
        answer(200, None)
    }

    async fn delete_rows(&self, event: &SocketEvent) -> Result<(), Fault> {
        // Frames that arrived before the end may be handled after it: without their own grant they need that of the row.
        let left = match &event.grant {
            Some(_) => self.sessions.close(&event.connection).await?,
            None => self.sessions.end(&event.connection, event.arrival).await?,
        };
        for app in &left.watched {
            self.subscriptions.delete(app, &event.connection).await?;
        }
        for app in &left.published {
            self.publishers.delete(app, &event.connection).await?;
        }
        Ok(())
    }

    async fn message(&self, event: &SocketEvent) -> ApiGatewayProxyResponse {
        let is_result = ANSWERED_BY_ROUTE.contains(&event.route.as_str());
        // A frame that is not read yet may be the library's, which is sent no error.
        let mut on_panic = is_result.then(|| Outbound::unavailable(None));
        let reply = isolated("answer a frame", before_replies(self.reply(event, &mut on_panic))).await;
        let mut reply = reply.unwrap_or_else(|fault| {
            tracing::error!(connection = %event.connection, reason = fault.chain(), "frame failed");
            on_panic.as_ref().map_or_else(Reply::silence, Reply::of)
        });
        self.count(&reply.counts);
        let body = (is_result && !reply.frames.is_empty()).then(|| reply.frames.remove(0));
        if let Err(fault) = isolated("deliver a reply", self.deliver(event, &reply)).await {
            tracing::error!(connection = %event.connection, reason = fault.chain(), "reply not delivered");
        }
        answer(200, body)
    }

    /// Posts the frames of `reply`, and counts it if its connection is unauthenticated.
    async fn deliver(&self, event: &SocketEvent, reply: &Reply) {
        if let Err(fault) = self.send(event, &reply.frames, reply.close).await {
            tracing::warn!(connection = %event.connection, reason = fault.chain(), "reply not delivered");
        }
        if reply.counts_as_unauthenticated
            && self.unauthenticated.count_rejected(&event.connection, event.arrival).await
        {
            self.counters.add(Counter::ClosedConnections, 1);
        }
    }

    fn count(&self, counts: &FrameCounts) {
        self.counters.add(Counter::AbsorbedFrames, u64::from(counts.ignored_repeats));
        self.counters.add(Counter::SilencedPublishers, u64::from(counts.refused_programs));
        self.counters.add(Counter::DroppedLogs, counts.dropped_logs);
    }

    /// The reply to a frame; `on_panic` becomes what is sent instead if this panics.
    async fn reply(&self, event: &SocketEvent, on_panic: &mut Option<Outbound>) -> Reply {
        let frame = match ControlFrame::read(&event.body) {
            Ok(frame) => ControlFrame { request: frame.request.sent_by(event.role), ..frame },
            Err(rejected) => return self.reject(rejected, event),
        };
        // A page or a relay with a key is not the library: it gets the reason.
        if let Request::Legacy(LegacyRequest::MalformedAuth(rejection)) = &frame.request
            && (event.role != Role::Program || event.grant.is_some())
        {
            return self.reject(RejectedFrame { rejection: rejection.clone(), id: frame.id }, event);
        }
        *on_panic = (!frame.request.is_legacy()).then(|| Outbound::unavailable(frame.id.clone()));
        // A grant of the handshake can be confirmed by `auth` and not changed, in either dialect.
        let is_confirmation = event.grant.is_some() && matches!(frame.request, Request::Auth { .. });
        if frame.request.is_legacy() && !is_confirmation {
            return self.reply_legacy(frame.request, event).await;
        }
        let counted = if is_confirmation {
            self.connections.count_confirmation(event)
        } else {
            let is_auth = matches!(frame.request, Request::Auth { .. });
            self.connections.count_modern(frame.id.as_ref(), is_auth, event)
        };
        if let ControlFlow::Break(reply) = counted {
            return reply;
        }
        let context = match self.auth_context(event, &frame.request).await {
            Ok(context) => context,
            Err(fault) => {
                tracing::error!(connection = %event.connection, reason = fault.chain(), "session not read");
                return Reply::of(&Outbound::unavailable(frame.id));
            }
        };
        let effects = FrameEffects { session: self, event };
        conversation::converse(frame, &context, event.arrival, &effects).await
    }

    async fn reply_legacy(&self, request: Request, event: &SocketEvent) -> Reply {
        let mut context = match self.connections.legacy_context(&request, event) {
            ControlFlow::Continue(context) => context,
            ControlFlow::Break(reply) => return reply,
        };
        let reply = legacy::converse(request, &mut context, &FrameEffects { session: self, event }).await;
        self.connections.keep(context, event);
        reply
    }

    /// Rejects a frame that cannot be read. A malformed `auth` is counted with the library's frames, as is a frame of a
    /// connection in its dialect; all others count as unauthenticated.
    fn reject(&self, rejected: RejectedFrame, event: &SocketEvent) -> Reply {
        let RejectedFrame { rejection, id } = rejected;
        tracing::info!(connection = %event.connection, code = rejection.code.as_str(), "frame rejected");
        self.counters.add(Counter::rejections(rejection.code), 1);
        let is_auth = event.route == AUTH_ROUTE && event.grant.is_none();
        let counted = if is_auth || self.connections.is_in_legacy_dialect(event) {
            self.connections.count_legacy(event)
        } else {
            self.connections.count_modern(id.as_ref(), false, event)
        };
        if let ControlFlow::Break(reply) = counted {
            return reply;
        }
        let counts_as_unauthenticated = event.grant.is_none() && event.route != AUTH_ROUTE;
        Reply { counts_as_unauthenticated, ..Reply::of(&Outbound::Error { rejection, id }) }
    }

    /// The grant of the handshake, or else of the session row. `ping` needs neither, and costs no call.
    async fn auth_context(&self, event: &SocketEvent, request: &Request) -> Result<AuthContext, Fault> {
        if event.grant.is_some() || matches!(request, Request::Ping) {
            return Ok(AuthContext { grant: event.grant.clone(), is_fixed: true });
        }
        let session = self.sessions.find(&event.connection).await?;
        Ok(AuthContext { grant: session.and_then(|session| session.grant), is_fixed: false })
    }

    async fn send(&self, event: &SocketEvent, frames: &[String], close: bool) -> Result<(), Fault> {
        for frame in frames {
            self.connections_api.post(&event.connection, frame).await?;
        }
        if close {
            tracing::info!(connection = %event.connection, "connection closed after rejected frames");
            self.counters.add(Counter::ClosedConnections, 1);
            self.connections_api.close(&event.connection).await?;
        }
        Ok(())
    }
}
