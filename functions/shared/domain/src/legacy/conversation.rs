//! The reply to a frame of the library or its dashboard. A fault of ours is never shown to them: the dashboard repeats
//! its frame by itself, and the library does not need the reply.

use super::auth::auth;
use super::context::LegacyContext;
use super::effects::LegacyEffects;
use super::request_flow::answer;
use crate::conversation::effects::EffectError;
use crate::conversation::reply::Reply;
use crate::dialect::Dialect;
use crate::frame::control::Request;

/// The reply to `request`. Afterwards `context` has what the frame changed.
pub async fn converse<E: LegacyEffects>(request: Request, context: &mut LegacyContext, effects: &E) -> Reply {
    let outcome = match request {
        Request::Auth { app, credential, dialect: Dialect::Legacy } => {
            auth(app, credential, context, effects).await
        }
        Request::Legacy(request) => answer(request, context, effects).await,
        // These are answered in this protocol's own dialect.
        Request::Auth { dialect: Dialect::Modern, .. }
        | Request::Subscribe { .. }
        | Request::Unsubscribe { .. }
        | Request::Ping => Ok(Reply::silence()),
    };
    outcome.unwrap_or_else(|error| {
        if let EffectError::Fault(fault) = error {
            effects.log_fault(fault);
        }
        Reply::silence()
    })
}
