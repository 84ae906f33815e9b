//! The claim by which one of several function instances may send a reply.

use super::context::LegacyContext;
use super::effects::LegacyEffects;
use super::permission::Outcome;
use super::session::{Claim, ReplyKind};
use crate::conversation::reply::Reply;

/// Claims a reply of this kind. `Some` is the reply to a frame that may not have one: it repeats an answered one, the
/// connection is gone, or its session row shows that it must be closed.
pub(super) async fn claim<E: LegacyEffects>(
    kind: ReplyKind,
    context: &mut LegacyContext,
    effects: &E,
) -> Outcome<E, Option<Reply>> {
    let now = context.now;
    if context.session.as_ref().is_some_and(|session| session.answered_recently(kind, now)) {
        return Ok(Some(Reply::absorbed()));
    }
    Ok(match effects.claim_reply(kind).await? {
        Claim::Claimed(session) => {
            context.set_session(session);
            context.close_if_rejected_too_long()
        }
        Claim::AlreadyClaimed(session) => {
            context.set_session(session);
            Some(context.close_if_rejected_too_long().unwrap_or_else(Reply::absorbed))
        }
        Claim::Gone => Some(Reply::silence()),
    })
}
