//! The library's `auth`: answered once per connection and credentials, and never with an error to a program.
//!
//! The dashboard sends no `subscribe`, so its `auth` subscribes it before the success is sent; it waits for a first
//! report, so the last known one follows at once.

use super::context::LegacyContext;
use super::effects::LegacyEffects;
use crate::conversation::effects::EffectError;
use crate::conversation::limits::MAX_AUTH_REJECTIONS;
use crate::conversation::reply::{FrameCounts, Reply};
use crate::dialect::Dialect;
use crate::frame::control::Credential;
use crate::frame::outbound::{Outbound, live_frame};
use crate::grant::{Grant, Role};
use crate::ids::AppId;

pub(super) async fn auth<E: LegacyEffects>(
    app: AppId,
    credential: Credential,
    context: &mut LegacyContext,
    effects: &E,
) -> Result<Reply, EffectError<E::Fault>> {
    if let Some(reply) = reply_without_proof(&app, &credential, context) {
        return Ok(reply);
    }
    let Some(session) = effects.find_session().await? else { return Ok(Reply::silence()) };
    context.set_session(session);
    if let Some(reply) = reply_without_proof(&app, &credential, context) {
        return Ok(reply);
    }
    let grant = match effects.prove(&app, &credential, Dialect::Legacy).await {
        Err(EffectError::Rejected(_)) => {
            let count = effects.count_rejection().await?;
            return Ok(count.map_or_else(Reply::silence, |count| reject(count, context)));
        }
        proved => proved?,
    };
    // A connection that already has the app, by any kind of proof, is counted.
    let is_counted = context.grant().is_some_and(|current| current.reach == grant.reach);
    if !is_counted && !effects.has_connection_room(&app).await? {
        return Ok(ignore_until_next_attempt(context));
    }
    if let Some(other) = other_legacy_app(&app, context) {
        effects.end_legacy_grant(&other).await?;
    }
    let is_page = context.role != Role::Program;
    if is_page && !effects.add_subscription(&app, &grant, 0, Dialect::Legacy).await? {
        return Ok(ignore_until_next_attempt(context));
    }
    // One conditional write: of several `auth` at once, on however many instances, exactly one is answered.
    if !effects.store_legacy_grant(&grant).await? {
        return Ok(Reply::absorbed());
    }
    let success = Outbound::AuthSuccess { app: app.clone(), user: grant.user.clone() };
    context.session.get_or_insert_default().accept(grant, context.now);
    let mut frames = vec![success.render()];
    if is_page {
        let last = effects.last_report(&app).await.unwrap_or_else(|fault| {
            effects.log_fault(fault);
            None
        });
        frames.extend(last.and_then(|report| live_frame(&report, Dialect::Legacy)));
    }
    Ok(Reply { frames, ..Reply::default() })
}

/// The reply to an `auth` that repeats an answered one, comes too soon after another, or whose connection has been
/// rejected for too long; `None` if the credentials must be checked.
fn reply_without_proof(app: &AppId, credential: &Credential, context: &LegacyContext) -> Option<Reply> {
    let session = context.session.as_ref()?;
    let is_repeat = session.has_proved(app, credential) || session.attempted_recently(context.now);
    context.close_if_rejected_too_long().or_else(|| is_repeat.then(Reply::absorbed))
}

/// The app of an earlier grant of the connection in this dialect, if it is not `app`.
fn other_legacy_app(app: &AppId, context: &LegacyContext) -> Option<AppId> {
    let earlier = context.grant().filter(|grant: &&Grant| grant.dialect() == Dialect::Legacy)?;
    earlier.names().iter().find(|other| *other != app).cloned()
}

/// Neither client understands that an app has reached its limits, so the `auth` is ignored. The next attempt is checked
/// after [`ATTEMPT_EVERY_MS`](super::session::ATTEMPT_EVERY_MS).
fn ignore_until_next_attempt(context: &mut LegacyContext) -> Reply {
    context.session.get_or_insert_default().note_wrong(context.now);
    Reply::silence()
}

/// A page gets one error and is closed if it keeps trying. The library throws on `auth_error` and its process dies,
/// so a program gets nothing and stays connected.
fn reject(count: u32, context: &mut LegacyContext) -> Reply {
    context.session.get_or_insert_default().note_wrong(context.now);
    if context.role == Role::Program {
        let counts = FrameCounts { unanswered_rejections: true, ..FrameCounts::default() };
        return Reply { counts, ..Reply::default() };
    }
    let frames = if count <= 1 { vec![Outbound::AuthError.render()] } else { Vec::new() };
    Reply { frames, close: count >= MAX_AUTH_REJECTIONS, ..Reply::default() }
}
