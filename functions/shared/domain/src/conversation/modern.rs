//! This protocol's own dialect: `auth` with a secret, `subscribe`, `unsubscribe`, `ping`.
//!
//! A grant is stored before it is confirmed, and a subscription before its replay is read.

use super::effects::{BaseEffects, EffectError, Effects, Subscribed};
use super::limits::{FULL_FOR_MS, MAX_AUTH_REJECTIONS, MAX_SUBSCRIPTIONS};
use super::reply::Reply;
use crate::frame::control::{ControlFrame, Credential, Request};
use crate::frame::envelope::FrameId;
use crate::frame::outbound::Outbound;
use crate::frame::replay::{self, ReplayStart};
use crate::grant::{Action, Grant};
use crate::ids::AppId;
use crate::rejection::{Code, Rejection};
use crate::time::TimestampMs;

type Outcome<E> = Result<Reply, EffectError<<E as BaseEffects>::Fault>>;

/// The authentication of a connection before its frame is read.
#[derive(Debug, Clone)]
pub struct AuthContext {
    /// The grant of the handshake or of an earlier `auth`.
    pub grant: Option<Grant>,
    /// Whether the grant was given at the handshake; then it cannot change during the connection.
    pub is_fixed: bool,
}

/// The reply to `frame`, which arrived at `now`. A route that answers by itself always gets a frame.
pub async fn converse<E: Effects>(
    frame: ControlFrame,
    context: &AuthContext,
    now: TimestampMs,
    effects: &E,
) -> Reply {
    let ControlFrame { id, request } = frame;
    let is_auth = matches!(request, Request::Auth { .. });
    let outcome = match request {
        Request::Ping => Ok(Reply::of(&Outbound::Pong)),
        // Of either dialect: the handshake decided that of the connection.
        Request::Auth { app, credential, .. } => auth(app, &credential, id.clone(), context, effects).await,
        Request::Subscribe { app, since, min_interval_ms } => {
            subscribe(&app, since, min_interval_ms, context, now, effects).await
        }
        Request::Unsubscribe { app } => unsubscribe(app, context, effects).await,
        // These are answered by the `legacy` module.
        Request::Legacy(_) => Ok(Reply::silence()),
    };
    match outcome {
        Ok(reply) => reply,
        Err(EffectError::Rejected(rejection)) => Reply {
            counts_as_unauthenticated: !is_auth && context.grant.is_none(),
            ..Reply::of(&Outbound::Error { rejection, id })
        },
        Err(EffectError::Fault(fault)) => {
            effects.log_fault(fault);
            Reply::of(&Outbound::unavailable(id))
        }
    }
}

async fn auth<E: Effects>(
    app: AppId,
    credential: &Credential,
    id: Option<FrameId>,
    context: &AuthContext,
    effects: &E,
) -> Outcome<E> {
    let grant = match effects.prove(&app, credential).await {
        Err(EffectError::Rejected(rejection)) => {
            return Ok(match effects.count_rejection().await? {
                Some(count) => reject_credential(rejection, count, id),
                None => Reply::of(&Outbound::unavailable(id)),
            });
        }
        proved => proved?,
    };
    if context.is_fixed {
        if context.grant.as_ref() != Some(&grant) {
            let message = "the connection already has the credential of its handshake";
            return Err(EffectError::Rejected(Rejection::new(Code::Forbidden, message)));
        }
        return Ok(Reply::of(&Outbound::AuthSuccess { app, user: grant.user }));
    }
    // A connection that already has the app is counted.
    let is_counted = context.grant.as_ref().is_some_and(|current| current.reach == grant.reach);
    if !is_counted && !effects.has_connection_room(&app).await? {
        return Err(full("the app has reached its limit of connections"));
    }
    if !effects.store_grant(&grant).await? {
        return Ok(Reply::silence());
    }
    Ok(Reply::of(&Outbound::AuthSuccess { app, user: grant.user }))
}

/// The first wrong credential is answered, later ones are not, and one too many closes the connection.
fn reject_credential(rejection: Rejection, count: u32, id: Option<FrameId>) -> Reply {
    let error = (count <= 1).then(|| Outbound::Error { rejection, id }.render());
    Reply { frames: error.into_iter().collect(), close: count >= MAX_AUTH_REJECTIONS, ..Reply::default() }
}

async fn subscribe<E: Effects>(
    app: &AppId,
    since: Option<TimestampMs>,
    min_interval_ms: i64,
    context: &AuthContext,
    now: TimestampMs,
    effects: &E,
) -> Outcome<E> {
    let grant = authenticated::<E>(context)?;
    effects.authorise(grant, Action::View, app).await?;
    let wait_ms = effects.replay_wait_ms(app);
    if wait_ms > 0 {
        return Err(too_soon(wait_ms));
    }
    if !effects.has_subscription_room(app).await? {
        return Err(full("the app has reached its limit of subscriptions"));
    }
    match effects.subscribe(app, grant, min_interval_ms, grant.dialect()).await? {
        Subscribed::Done => {}
        Subscribed::Full => {
            let message =
                format!("a connection can subscribe to {MAX_SUBSCRIPTIONS} apps, unsubscribe from one first");
            let rejection = Rejection::new(Code::RateLimited, message).at("data.appId");
            return Err(EffectError::Rejected(rejection));
        }
        Subscribed::TooSoon { wait_ms } => return Err(too_soon(wait_ms)),
    }
    let start = ReplayStart::of(since, now);
    let recent = effects.recent_reports(app, start.from).await?;
    let frames = replay::frames(app, &recent.reports, start.reaches_since && recent.is_complete);
    Ok(Reply { frames, ..Reply::default() })
}

async fn unsubscribe<E: Effects>(app: AppId, context: &AuthContext, effects: &E) -> Outcome<E> {
    authenticated::<E>(context)?;
    effects.remove_subscription(&app).await?;
    Ok(Reply::of(&Outbound::Unsubscribed { app }))
}

fn authenticated<E: Effects>(context: &AuthContext) -> Result<&Grant, EffectError<E::Fault>> {
    context.grant.as_ref().ok_or_else(|| EffectError::Rejected(Rejection::unauthorized()))
}

/// `subscribed` always has its replay, so a repeat is refused while none may be sent.
fn too_soon<F>(wait_ms: i64) -> EffectError<F> {
    let message = format!("the reports of this app were replayed just now, try again in {wait_ms} ms");
    EffectError::Rejected(Rejection::new(Code::RateLimited, message).at("data.appId").for_ms(wait_ms))
}

fn full<F>(message: &str) -> EffectError<F> {
    let rejection = Rejection::new(Code::RateLimited, message).at("data.appId").for_ms(FULL_FOR_MS);
    EffectError::Rejected(rejection)
}
