//! The connection cache of this instance, shared between its invocations, and the replies to frames that come too fast.

use std::ops::ControlFlow;

use nsl_aws::event::SocketEvent;
use nsl_domain::conversation::Reply;
use nsl_domain::conversation::connection_cache::{
    ConnectionCache, FLOOD_MS, FrameDecision, MAX_AUTH_FRAMES, MAX_MODERN_FRAMES,
};
use nsl_domain::dialect::Dialect;
use nsl_domain::frame::control::Request;
use nsl_domain::frame::envelope::FrameId;
use nsl_domain::frame::outbound::Outbound;
use nsl_domain::grant::{Action, Role, check_without_app};
use nsl_domain::ids::ConnectionId;
use nsl_domain::legacy::context::LegacyContext;
use nsl_domain::legacy::frames::LegacyRequest;
use nsl_domain::rejection::{Code, Rejection};
use parking_lot::Mutex;

/// The connections that sent frames to this instance.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    cache: Mutex<ConnectionCache>,
}

impl Connections {
    /// The cached state of the connection before `request` is answered; breaks with the reply to a frame that is over the
    /// limit.
    pub(crate) fn legacy_context(
        &self,
        request: &Request,
        event: &SocketEvent,
    ) -> ControlFlow<Reply, LegacyContext> {
        let cached = self.cache.lock().session(&event.connection, event.arrival);
        let (session, session_read_at) = cached.map(|cached| (cached.session, cached.read_at)).unzip();
        let handshake_grant = event.grant.clone();
        let mut context = LegacyContext {
            role: event.role,
            handshake_grant,
            session,
            session_read_at,
            log_room: 0,
            now: event.arrival,
        };
        match request {
            Request::Legacy(LegacyRequest::Logs { entries, .. }) => {
                if is_flood_of_logs(&context) {
                    self.count_legacy(event)?;
                }
                let sizes = entries.iter().map(String::len);
                context.log_room = self.cache.lock().log_room(&event.connection, sizes, event.arrival);
            }
            // The library authenticates once, on opening: frames that overtake its `auth` must not cost it. What it
            // repeats is limited by `ATTEMPT_EVERY_MS`.
            Request::Auth { .. } | Request::Legacy(LegacyRequest::MalformedAuth(_))
                if event.role == Role::Program => {}
            _ => self.count_legacy(event)?,
        }
        ControlFlow::Continue(context)
    }

    /// Counts a frame in the library's dialect; breaks with the reply if it is over the limit.
    pub(crate) fn count_legacy(&self, event: &SocketEvent) -> ControlFlow<Reply> {
        match self.cache.lock().count_legacy(&event.connection, event.role, event.arrival) {
            FrameDecision::Accept => ControlFlow::Continue(()),
            FrameDecision::Ignore => ControlFlow::Break(Reply::absorbed()),
            FrameDecision::Close => ControlFlow::Break(Reply { close: true, ..Reply::absorbed() }),
        }
    }

    /// Counts a frame of this protocol's own dialect; breaks with a rejection that closes the connection if it is over the
    /// limit.
    pub(crate) fn count_modern(
        &self,
        id: Option<&FrameId>,
        is_auth: bool,
        event: &SocketEvent,
    ) -> ControlFlow<Reply> {
        match self.cache.lock().count_modern(&event.connection, is_auth, event.arrival) {
            FrameDecision::Accept => ControlFlow::Continue(()),
            FrameDecision::Ignore | FrameDecision::Close => {
                let message = format!(
                    "over {MAX_MODERN_FRAMES} frames or {MAX_AUTH_FRAMES} auth in ten seconds, reports aside"
                );
                let rejection = Rejection::new(Code::RateLimited, message).for_ms(FLOOD_MS);
                let error = Outbound::Error { rejection, id: id.cloned() };
                ControlFlow::Break(Reply { close: true, ..Reply::of(&error) })
            }
        }
    }

    /// Counts an `auth` that confirms the grant of the handshake; breaks without a reply if it is over the limit. It never
    /// closes: a library behind a relay that adds its key repeats its `auth` without end.
    pub(crate) fn count_confirmation(&self, event: &SocketEvent) -> ControlFlow<Reply> {
        match self.cache.lock().count_modern(&event.connection, false, event.arrival) {
            FrameDecision::Accept => ControlFlow::Continue(()),
            FrameDecision::Ignore | FrameDecision::Close => ControlFlow::Break(Reply::absorbed()),
        }
    }

    /// Whether the cached session of the connection is in the library's dialect.
    pub(crate) fn is_in_legacy_dialect(&self, event: &SocketEvent) -> bool {
        let session = self.cache.lock().session(&event.connection, event.arrival);
        let grant = session.and_then(|cached| cached.session.grant);
        grant.is_some_and(|grant| grant.dialect() == Dialect::Legacy)
    }

    /// Caches the session row, if it was read for this frame.
    pub(crate) fn keep(&self, context: LegacyContext, event: &SocketEvent) {
        if let Some(session) = context.session.filter(|_| context.session_read_at == Some(event.arrival)) {
            self.cache.lock().insert(&event.connection, session, event.arrival);
        }
    }

    /// Removes a connection that has ended.
    pub(crate) fn remove(&self, connection: &ConnectionId) {
        self.cache.lock().remove(connection);
    }
}

/// Whether `logs` count as frames of a flood: what is known of the connection lets it send none. A program without a known
/// grant is excepted, because its entries may overtake its `auth`; then its session row is read once a second at most.
fn is_flood_of_logs(context: &LegacyContext) -> bool {
    let is_unproved_program = context.grant().is_none() && context.role == Role::Program;
    !is_unproved_program && check_without_app(context.grant(), Action::Publish, context.now).is_err()
}
