//! The `auth` of this dialect: answered once per connection and credentials, and never with an error to a program.
//!
//! The dashboard sends no `subscribe`, so its `auth` subscribes it before the success is sent; it waits for a first
//! report, so the last known one follows at once.

use super::admission::{has_room, notify, welcome};
use super::claim::claim;
use super::context::LegacyContext;
use super::effects::{LegacyEffects, Proved};
use super::notice::Notice;
use super::session::ReplyKind;
use crate::conversation::effects::EffectError;
use crate::conversation::limits::MAX_AUTH_REJECTIONS;
use crate::conversation::reply::{FrameCounts, Reply};
use crate::dialect::Dialect;
use crate::frame::control::Credential;
use crate::frame::outbound::{AppStatus, Outbound, live_frame};
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
    let Some(Proved { grant, is_active }) = effects.prove_library(&app, &credential).await? else {
        return reject(context, effects).await;
    };
    let is_page = context.role != Role::Program;
    if is_page && !is_active {
        return inactive_status(context, effects).await;
    }
    if !has_room(&app, &grant, context, effects).await? {
        return ignore_until_next_attempt(context, effects).await;
    }
    if let Some(other) = other_legacy_app(&app, context) {
        effects.end_legacy_grant(&other).await?;
    }
    if is_page && !effects.add_subscription(&app, &grant, 0, Dialect::Legacy).await? {
        return ignore_until_next_attempt(context, effects).await;
    }
    // One conditional write: of several `auth` at once, on however many instances, exactly one is answered.
    if !effects.store_legacy_grant(&grant).await? {
        return Ok(Reply::absorbed());
    }
    let now = context.now;
    context.session_mut().accept(grant.clone(), now);
    let mut frames = welcome(&app, &grant, is_active, context, effects).await?;
    if is_page {
        let last = effects.last_report(&app).await.unwrap_or_else(|fault| {
            effects.log_fault(fault);
            None
        });
        frames.extend(last.and_then(|report| live_frame(&report, Dialect::Legacy)));
    }
    Ok(Reply { frames, ..Reply::default() })
}

/// The reply to an `auth` whose ids no app can have.
pub(super) async fn malformed_auth<E: LegacyEffects>(
    context: &mut LegacyContext,
    effects: &E,
) -> Result<Reply, EffectError<E::Fault>> {
    let is_repeat = context.session().attempted_recently(context.now);
    if let Some(reply) = context.close_if_rejected_too_long().or_else(|| is_repeat.then(Reply::absorbed)) {
        return Ok(reply);
    }
    let Some(session) = effects.find_session().await? else { return Ok(Reply::silence()) };
    context.set_session(session);
    if context.session().attempted_recently(context.now) {
        return Ok(Reply::absorbed());
    }
    reject(context, effects).await
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

/// The `auth` is ignored, because neither client understands that an app has reached its limits. The next attempt is
/// checked after [`ATTEMPT_EVERY_MS`](super::session::ATTEMPT_EVERY_MS).
async fn ignore_until_next_attempt<E: LegacyEffects>(
    context: &mut LegacyContext,
    effects: &E,
) -> Result<Reply, EffectError<E::Fault>> {
    let now = context.now;
    context.session_mut().wrong_at = Some(now);
    let is_program = context.role == Role::Program;
    let frames = if is_program { notify(Notice::Full, context, effects).await? } else { Vec::new() };
    Ok(Reply { frames, ..Reply::default() })
}

/// The answer of its `check_status`, once for both: an `auth_error` would contradict it, and the page repeats its `auth`
/// once the app is active.
async fn inactive_status<E: LegacyEffects>(
    context: &mut LegacyContext,
    effects: &E,
) -> Result<Reply, EffectError<E::Fault>> {
    let unclaimed = claim(ReplyKind::Status, context, effects).await?;
    Ok(unclaimed.unwrap_or_else(|| Reply::of(&Outbound::Status(AppStatus::Inactive))))
}

/// A page gets one error and is closed if it keeps trying. The library throws on `auth_error` and its process dies,
/// so a program gets a notice and stays connected.
async fn reject<E: LegacyEffects>(
    context: &mut LegacyContext,
    effects: &E,
) -> Result<Reply, EffectError<E::Fault>> {
    let Some(count) = effects.count_rejection().await? else { return Ok(Reply::silence()) };
    let now = context.now;
    context.session_mut().note_wrong(now);
    if context.role == Role::Program {
        let counts = FrameCounts { refused_programs: true, ..FrameCounts::default() };
        let frames = notify(Notice::Unproved, context, effects).await?;
        return Ok(Reply { frames, counts, ..Reply::default() });
    }
    let frames = if count <= 1 { vec![Outbound::AuthError.render()] } else { Vec::new() };
    Ok(Reply { frames, close: count >= MAX_AUTH_REJECTIONS, ..Reply::default() })
}
