//! What the library and its dashboard ask for besides `auth`: status, logs, history, commands, the last report.
//!
//! `logs` needs permission to publish, commands and the last report permission to view. History and the last commands
//! are also open to the library, which may only publish. Rejections are not sent, except for a command.

use super::auth::malformed_auth;
use super::claim::claim;
use super::command::{Command, IssuedCommand};
use super::context::LegacyContext;
use super::effects::LegacyEffects;
use super::frames::{HistoryShape, LegacyRequest};
use super::log_flow::receive_logs;
use super::logs;
use super::permission::{Outcome, Permission, permission};
use super::session::ReplyKind;
use crate::app::{App, Status};
use crate::conversation::effects::EffectError;
use crate::conversation::reply::Reply;
use crate::frame::fields::Field;
use crate::frame::outbound::{AppStatus, Outbound, live_frame};
use crate::grant::{Action, Grant, Role, is_valid_on};
use crate::ids::{AppId, Scope, UserId};

/// The reply to `request`.
pub(super) async fn answer<E: LegacyEffects>(
    request: LegacyRequest,
    context: &mut LegacyContext,
    effects: &E,
) -> Outcome<E, Reply> {
    if let Some(close) = context.close_if_rejected_too_long() {
        return Ok(close);
    }
    if let Some(kind) = kind_of(&request)
        && let Some(unclaimed) = claim(kind, context, effects).await?
    {
        return Ok(unclaimed);
    }
    match request {
        LegacyRequest::Status { user, app } => status(&user, &app, context, effects).await,
        LegacyRequest::History { app, shape } => history(&app, shape, context, effects).await,
        LegacyRequest::LastActions { app } => last_actions(&app, context, effects).await,
        LegacyRequest::Command { app, command: issued } => command(&app, issued, context, effects).await,
        LegacyRequest::Metrics { app } => last_report(&app, context, effects).await,
        LegacyRequest::Logs { app, user, entries, dropped } => {
            Ok(receive_logs(&app, &user, entries, dropped, context, effects).await)
        }
        LegacyRequest::MalformedAuth(_) => malformed_auth(context, effects).await,
        LegacyRequest::Ignored => Ok(Reply::absorbed()),
    }
}

/// The kind of reply that a request gets at most once within [`ReplyKind::every_ms`].
fn kind_of(request: &LegacyRequest) -> Option<ReplyKind> {
    match request {
        LegacyRequest::Status { .. } => Some(ReplyKind::Status),
        LegacyRequest::History { .. } => Some(ReplyKind::History),
        LegacyRequest::LastActions { .. } => Some(ReplyKind::LastActions),
        LegacyRequest::Command { .. } => Some(ReplyKind::Command),
        LegacyRequest::Metrics { .. } => Some(ReplyKind::Metrics),
        LegacyRequest::Logs { .. } | LegacyRequest::MalformedAuth(_) | LegacyRequest::Ignored => None,
    }
}

/// With its ids alone the library reads the history of its own app although it may only publish. A key or token that does
/// not allow viewing reads nothing.
fn view_or_publish(grant: &Grant) -> Action {
    if grant.is_by_ids() && grant.scope == Scope::PUBLISH { Action::Publish } else { Action::View }
}

/// The only request that is answered without a grant.
async fn status<E: LegacyEffects>(
    user: &Field<UserId>,
    named: &Field<AppId>,
    context: &LegacyContext,
    effects: &E,
) -> Outcome<E, Reply> {
    let user = match user {
        Field::Valid(user) => Some(user.as_str()),
        Field::Absent => context.grant().and_then(Grant::user_id),
        Field::Malformed => None,
    };
    let status = match context.app_of(named).zip(user) {
        Some((app, user)) => {
            let app = effects.find_app(&app).await?;
            status_of(app.as_deref(), user, context)
        }
        None => AppStatus::Unknown,
    };
    Ok(Reply::of(&Outbound::Status(status)))
}

/// `Unknown` for an app that does not exist, is another user's or has no legacy flag, and for a foreign page, unless the
/// connection's key or token is of the app: all look alike.
fn status_of(app: Option<&App>, user: &str, context: &LegacyContext) -> AppStatus {
    let Some(app) = app else { return AppStatus::Unknown };
    let is_open = app.legacy && app.owner.as_str() == user && context.role != Role::ForeignPage;
    let is_proved = |grant: &Grant| !grant.is_by_ids() && is_valid_on(grant, app, context.now);
    match app.status {
        _ if !is_open && !context.grant().is_some_and(is_proved) => AppStatus::Unknown,
        Status::Active => AppStatus::Active,
        Status::Inactive => AppStatus::Inactive,
    }
}

async fn history<E: LegacyEffects>(
    app: &Field<AppId>,
    shape: HistoryShape,
    context: &LegacyContext,
    effects: &E,
) -> Outcome<E, Reply> {
    let Some(permission) = permission(app, view_or_publish, context, effects).await? else {
        return Ok(Reply::silence());
    };
    let entries = effects.log_entries(&permission.app).await?;
    // A program always gets the shape that the library reads, even if it asks for the other.
    let shape = if context.role == Role::Program { HistoryShape::Library } else { shape };
    let groups = logs::groups(&entries).into_iter();
    let frames = groups.map(|group| Outbound::History(group.to_vec(), shape).render()).collect();
    Ok(Reply { frames, ..Reply::default() })
}

async fn last_actions<E: LegacyEffects>(
    app: &Field<AppId>,
    context: &LegacyContext,
    effects: &E,
) -> Outcome<E, Reply> {
    let Some(permission) = permission(app, view_or_publish, context, effects).await? else {
        return Ok(Reply::silence());
    };
    let commands = effects.commands(&permission.app).await?;
    Ok(Reply::of(&Outbound::LastActions(permission.app, commands)))
}

async fn last_report<E: LegacyEffects>(
    app: &Field<AppId>,
    context: &LegacyContext,
    effects: &E,
) -> Outcome<E, Reply> {
    let Some(permission) = permission(app, |_| Action::View, context, effects).await? else {
        return Ok(Reply::silence());
    };
    let last = effects.last_report(&permission.app).await?;
    let dialect = permission.grant.dialect();
    let frames = last.and_then(|report| live_frame(&report, dialect)).into_iter().collect();
    Ok(Reply { frames, ..Reply::default() })
}

/// Stores a command, then posts it to the publishers. The dashboard waits for a response, so a rejection is sent too.
async fn command<E: LegacyEffects>(
    app: &Field<AppId>,
    command: Option<Command>,
    context: &LegacyContext,
    effects: &E,
) -> Outcome<E, Reply> {
    let Some((grant, _)) = context.grant().zip(context.app_of(app)) else { return Ok(Reply::silence()) };
    let Some(command) = command.filter(|_| may_command(grant)) else {
        return Ok(Reply::of(&Outbound::CommandResponse(None)));
    };
    let permission = match permission(app, |_| Action::View, context, effects).await {
        Err(EffectError::Rejected(_)) => return Ok(Reply::of(&Outbound::CommandResponse(None))),
        permission => permission?,
    };
    let Some(Permission { app, grant }) = permission else { return Ok(Reply::silence()) };
    let issued = IssuedCommand { command, user: grant.user, at: context.now };
    effects.store_command(&app, &issued).await?;
    let posted = effects.post_to_publishers(&app, Outbound::Command(command).render()).await;
    posted.unwrap_or_else(|fault| effects.log_fault(fault));
    Ok(Reply::of(&Outbound::CommandResponse(Some(command))))
}

/// A command changes what publishers do, so a key or token must allow publishing and viewing. The grant of the
/// dashboard's `auth` has the scope `view` and may command.
fn may_command(grant: &Grant) -> bool {
    grant.scope.contains(if grant.is_by_ids() { Scope::VIEW } else { Scope::BOTH })
}
