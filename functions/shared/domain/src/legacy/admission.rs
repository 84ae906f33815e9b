//! Admits a program by the ids that each of its frames carries: the same proof as its `auth`, which it sends on opening
//! only. So it goes on within seconds after its app is activated, created, or has its flag again.
//!
//! Nothing in this dialect is answered with an error. A program gets one `auth_success` for each credential, whichever
//! frame it came with, and each [`Notice`] once.

use super::context::LegacyContext;
use super::effects::{AdmissionEffects, Proved, Stored};
use super::ids::LibraryIds;
use super::notice::Notice;
use crate::conversation::reply::{FrameCounts, Reply};
use crate::dialect::Dialect;
use crate::frame::outbound::Outbound;
use crate::grant::{Grant, Role};
use crate::ids::AppId;
use crate::rejection::Code;

/// What became of a frame whose connection has no grant for it.
#[derive(Debug, Default)]
pub struct Admission {
    /// The grant by which the frame counts; none if it does not.
    pub grant: Option<Grant>,
    /// What is sent.
    pub reply: Reply,
}

/// Checks the ids of a frame whose connection has no grant, or one that was rejected with `rejected`. The session row must
/// have been read for the frame; a connection without one has ended.
///
/// A frame may be handled before the `auth` of its connection, and after its end. So the first refusal of a connection
/// says nothing, and the frame of one that has ended counts if its ids are right, and changes nothing.
///
/// # Errors
/// The fault of an effect.
pub async fn admit_frame<E: AdmissionEffects>(
    ids: &LibraryIds,
    rejected: Option<Code>,
    context: &mut LegacyContext,
    effects: &E,
) -> Result<Admission, E::Fault> {
    if let Some(reply) = context.close_if_rejected_too_long() {
        return Ok(Admission { grant: None, reply });
    }
    let code = rejected.unwrap_or(Code::Unauthorized);
    if !may_be_admitted(&ids.app, context) {
        note_refused_grant(&ids.app, code, context, effects);
        return Ok(Admission::default());
    }
    if code == Code::AppInactive {
        effects.note_refused(&ids.app, code);
        return refused(notify(Notice::SwitchedOff, context, effects).await?);
    }
    if context.session().checked_recently(context.now) {
        note_refused_grant(&ids.app, code, context, effects);
        return Ok(Admission::default());
    }
    match effects.prove_ids(ids).await? {
        Some(proved) => accept_frame(&ids.app, proved, context, effects).await,
        None => refuse_frame(&ids.app, code, context, effects).await,
    }
}

/// Whether frames may change the grant of the connection: that of a program, unless it has one for another app or one of
/// the modern protocol.
fn may_be_admitted(app: &AppId, context: &LegacyContext) -> bool {
    let is_replaceable = |grant: &Grant| grant.dialect() == Dialect::Legacy && grant.names().contains(app);
    context.role == Role::Program && context.grant().is_none_or(is_replaceable)
}

async fn accept_frame<E: AdmissionEffects>(
    app: &AppId,
    proved: Proved,
    context: &mut LegacyContext,
    effects: &E,
) -> Result<Admission, E::Fault> {
    let Proved { grant, is_active } = proved;
    let usable = is_active.then(|| grant.clone());
    let earlier = context.session().grant.clone();
    if context.session().is_ended || earlier.as_ref() == Some(&grant) {
        return Ok(Admission { grant: usable, reply: Reply::silence() });
    }
    if !has_room(app, &grant, context, effects).await? {
        effects.note_check(false).await?;
        return refused(notify(Notice::Full, context, effects).await?);
    }
    let mut reply = Reply::silence();
    match effects.store_frame_grant(&grant, earlier.as_ref()).await? {
        Stored::Done => {
            let now = context.now;
            context.session_mut().admit(grant.clone(), now);
            reply.frames = welcome(app, &grant, is_active, context, effects).await?;
        }
        // The `auth` was faster, or another frame. It is answered; this one counts as well.
        Stored::Overtaken | Stored::Gone => {}
    }
    if !is_active {
        effects.note_refused(app, Code::AppInactive);
    }
    Ok(Admission { grant: usable, reply })
}

async fn refuse_frame<E: AdmissionEffects>(
    app: &AppId,
    code: Code,
    context: &mut LegacyContext,
    effects: &E,
) -> Result<Admission, E::Fault> {
    let session = context.session();
    if session.is_ended {
        return Ok(Admission::default());
    }
    let is_first = session.grant.is_none() && session.checked_at.is_none() && session.wrong_since.is_none();
    effects.note_check(true).await?;
    note_refused_grant(app, code, context, effects);
    if is_first {
        return refused(Vec::new());
    }
    refused(notify(Notice::Unproved, context, effects).await?)
}

/// What a connection without a grant may do changes with its `auth`, so only that of a grant is noted.
fn note_refused_grant<E: AdmissionEffects>(app: &AppId, code: Code, context: &LegacyContext, effects: &E) {
    if context.grant().is_some() {
        effects.note_refused(app, code);
    }
}

fn refused<F>(frames: Vec<String>) -> Result<Admission, F> {
    let counts = FrameCounts { refused_programs: true, ..FrameCounts::default() };
    Ok(Admission { grant: None, reply: Reply { frames, counts, ..Reply::default() } })
}

/// Whether the app may have the connection: one that already has the app is counted.
pub(super) async fn has_room<E: AdmissionEffects>(
    app: &AppId,
    grant: &Grant,
    context: &LegacyContext,
    effects: &E,
) -> Result<bool, E::Fault> {
    let is_counted = context.grant().is_some_and(|current| current.reach == grant.reach);
    Ok(is_counted || effects.has_connection_room(app).await?)
}

/// The answer to the frame whose grant was stored. A program whose app is switched off is welcome too: it keeps every log
/// entry in memory until then, and sends nothing that could admit it later.
pub(super) async fn welcome<E: AdmissionEffects>(
    app: &AppId,
    grant: &Grant,
    is_active: bool,
    context: &mut LegacyContext,
    effects: &E,
) -> Result<Vec<String>, E::Fault> {
    let mut frames = vec![Outbound::AuthSuccess { app: app.clone(), user: grant.user.clone() }.render()];
    if !is_active {
        // The grant is stored, so that the success is sent whether or not this fails.
        frames.extend(notify(Notice::SwitchedOff, context, effects).await.unwrap_or_else(|fault| {
            effects.log_fault(fault);
            Vec::new()
        }));
    }
    Ok(frames)
}

/// The frame of `notice`, once for each connection.
pub(super) async fn notify<E: AdmissionEffects>(
    notice: Notice,
    context: &mut LegacyContext,
    effects: &E,
) -> Result<Vec<String>, E::Fault> {
    if context.session().is_ended
        || !context.session_mut().notified.insert(notice)
        || !effects.claim_notice(notice).await?
    {
        return Ok(Vec::new());
    }
    Ok(vec![Outbound::Notice(notice).render()])
}
