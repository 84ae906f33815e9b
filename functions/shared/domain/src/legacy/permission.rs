//! Whether the grant of a connection allows what a frame of this dialect asks for.

use super::context::LegacyContext;
use super::effects::LegacyEffects;
use crate::conversation::effects::{BaseEffects, EffectError};
use crate::frame::fields::Field;
use crate::grant::{Action, Grant};
use crate::ids::AppId;

pub(super) type Outcome<E, T> = Result<T, EffectError<<E as BaseEffects>::Fault>>;

/// A grant that was checked for an app.
pub(super) struct Permission {
    pub(super) app: AppId,
    pub(super) grant: Grant,
}

/// The checked grant of the connection; `None` if it has none or the frame names no app.
pub(super) async fn permission<E: LegacyEffects>(
    named: &Field<AppId>,
    action: impl Fn(&Grant) -> Action,
    context: &LegacyContext,
    effects: &E,
) -> Outcome<E, Option<Permission>> {
    let Some((grant, app)) = context.grant().cloned().zip(context.app_of(named)) else { return Ok(None) };
    effects.authorise(&grant, action(&grant), &app).await?;
    Ok(Some(Permission { app, grant }))
}
