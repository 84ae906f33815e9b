//! What becomes of the log entries of a program: stored, then posted to the subscribers, or counted as dropped.

use super::admission::admit_frame;
use super::context::LegacyContext;
use super::effects::LegacyEffects;
use super::ids::LibraryIds;
use super::logs;
use super::permission::{Outcome, Permission, permission};
use super::session::LegacySession;
use crate::conversation::effects::EffectError;
use crate::conversation::reply::Reply;
use crate::frame::fields::Field;
use crate::frame::outbound::Outbound;
use crate::grant::{Action, Grant};
use crate::ids::{AppId, UserId};
use crate::rejection::Code;

/// Whether the entries of a frame may be stored.
enum Checked {
    Allowed(Permission),
    /// There is no grant, or the frame names no app.
    WithoutGrant,
    Rejected(Code),
}

/// Stores log entries, posts them to the subscribers, and counts those that were not stored.
pub(super) async fn receive_logs<E: LegacyEffects>(
    app: &Field<AppId>,
    user: &Field<UserId>,
    mut entries: Vec<String>,
    malformed: usize,
    context: &mut LegacyContext,
    effects: &E,
) -> Reply {
    let dropped = malformed + entries.len().saturating_sub(context.log_room);
    entries.truncate(context.log_room);
    let mut reply = Reply::silence();
    let mut is_stored = entries.is_empty();
    if !is_stored {
        let stored = store_logs(app, user, &entries, context, effects, &mut reply).await;
        is_stored = stored.unwrap_or_else(|error| {
            if let EffectError::Fault(fault) = error {
                effects.log_fault(fault);
            }
            false
        });
        if let Some(close) = context.close_if_rejected_too_long() {
            return close;
        }
    }
    let dropped = if is_stored { dropped } else { dropped + entries.len() };
    reply.counts.dropped_logs = u64::try_from(dropped).unwrap_or(u64::MAX);
    reply
}

/// Whether `entries` were stored; `reply` becomes the answer to a program that they admit. Without a grant the session row
/// is read at most once a second, and what an app rejects is not checked again for ten.
async fn store_logs<E: LegacyEffects>(
    app: &Field<AppId>,
    user: &Field<UserId>,
    entries: &[String],
    context: &mut LegacyContext,
    effects: &E,
    reply: &mut Reply,
) -> Outcome<E, bool> {
    let is_refused = context.app_of(app).is_some_and(|app| effects.known_refusal(&app).is_some());
    if is_refused || context.is_known_without_grant() {
        return Ok(false);
    }
    if context.grant().is_none() {
        read_session(context, effects).await?;
    }
    let mut checked = check(app, context, effects).await?;
    if !matches!(checked, Checked::Allowed(_)) && context.session_read_at != Some(context.now) {
        // The cached row may be older than what the connection proved since.
        read_session(context, effects).await?;
        checked = check(app, context, effects).await?;
    }
    let rejected = match checked {
        Checked::Allowed(Permission { app, .. }) => return store(&app, entries, effects).await,
        Checked::Rejected(code) => Some(code),
        Checked::WithoutGrant => None,
    };
    let (Field::Valid(app), Field::Valid(user)) = (app, user) else { return Ok(false) };
    let ids = LibraryIds { app: app.clone(), user: user.clone() };
    let admission = admit_frame(&ids, rejected, context, effects).await?;
    *reply = admission.reply;
    let is_admitted = admission.grant.is_some();
    Ok(is_admitted && store(app, entries, effects).await?)
}

async fn read_session<E: LegacyEffects>(context: &mut LegacyContext, effects: &E) -> Result<(), E::Fault> {
    let session = effects.find_session().await?;
    context.set_session(session.unwrap_or_else(LegacySession::ended));
    Ok(())
}

async fn check<E: LegacyEffects>(
    app: &Field<AppId>,
    context: &LegacyContext,
    effects: &E,
) -> Outcome<E, Checked> {
    match permission(app, |_: &Grant| Action::Publish, context, effects).await {
        Ok(Some(permission)) => Ok(Checked::Allowed(permission)),
        Ok(None) => Ok(Checked::WithoutGrant),
        Err(EffectError::Rejected(rejection)) => Ok(Checked::Rejected(rejection.code)),
        Err(fault @ EffectError::Fault(_)) => Err(fault),
    }
}

/// Stores and posts entries. The posts take nothing back, so that a fault of theirs is only logged.
async fn store<E: LegacyEffects>(app: &AppId, entries: &[String], effects: &E) -> Outcome<E, bool> {
    effects.store_log_entries(app, entries).await?;
    let groups = logs::groups(entries).into_iter();
    let frames: Vec<String> = groups.map(|group| Outbound::Logs(group.to_vec()).render()).collect();
    let posted = effects.post_to_subscribers(app, &frames).await;
    posted.unwrap_or_else(|fault| effects.log_fault(fault));
    Ok(true)
}
