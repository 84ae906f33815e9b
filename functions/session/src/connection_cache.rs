//! The connection cache of this instance, shared between its invocations, and the replies to frames that come too fast.

use std::ops::ControlFlow;

use nsl_aws::event::SocketEvent;
use nsl_domain::conversation::Reply;
use nsl_domain::conversation::connection_cache::{
    ConnectionCache, FLOOD_MS, FrameDecision, MAX_MODERN_FRAMES,
};
use nsl_domain::frame::control::{ControlFrame, Request};
use nsl_domain::frame::outbound::Outbound;
use nsl_domain::grant::Grant;
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
        let log_room = if let Request::Legacy(LegacyRequest::Logs { entries, .. }) = request {
            let sizes = entries.iter().map(String::len);
            self.cache.lock().log_room(&event.connection, sizes, event.arrival)
        } else {
            self.count_legacy(event)?;
            0
        };
        ControlFlow::Continue(LegacyContext {
            role: event.role,
            handshake_grant: event.grant.clone(),
            session: self.cache.lock().session(&event.connection, event.arrival),
            log_room,
            now: event.arrival,
            is_session_fresh: false,
        })
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
    pub(crate) fn count_modern(&self, frame: &ControlFrame, event: &SocketEvent) -> ControlFlow<Reply> {
        match self.cache.lock().count_modern(&event.connection, event.arrival) {
            FrameDecision::Accept => ControlFlow::Continue(()),
            FrameDecision::Ignore | FrameDecision::Close => {
                let message = format!("over {MAX_MODERN_FRAMES} frames in ten seconds, reports aside");
                let rejection = Rejection::new(Code::RateLimited, message).for_ms(FLOOD_MS);
                let error = Outbound::Error { rejection, id: frame.id.clone() };
                ControlFlow::Break(Reply { close: true, ..Reply::of(&error) })
            }
        }
    }

    /// Whether the cached session of the connection has the grant of a library's `auth`.
    pub(crate) fn is_legacy(&self, event: &SocketEvent) -> bool {
        let session = self.cache.lock().session(&event.connection, event.arrival);
        session.and_then(|session| session.grant).as_ref().is_some_and(Grant::is_legacy)
    }

    /// Caches the session row, if it was read for this frame.
    pub(crate) fn keep(&self, context: LegacyContext, event: &SocketEvent) {
        if let Some(session) = context.session.filter(|_| context.is_session_fresh) {
            self.cache.lock().insert(&event.connection, session, event.arrival);
        }
    }

    /// Removes a connection that has ended.
    pub(crate) fn remove(&self, connection: &ConnectionId) {
        self.cache.lock().remove(connection);
    }
}
