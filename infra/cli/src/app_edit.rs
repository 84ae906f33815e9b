//! Reads an app, and changes it with optimistic locking.

use anyhow::{Context as _, bail, ensure};
use nsl_aws::apps::{Apps, Saved};
use nsl_domain::app::App;
use nsl_domain::ids::AppId;
use nsl_terminal::is_printable;

/// Attempts to save a change while others change the same app.
const MAX_ATTEMPTS: usize = 5;

/// The app with the id that an argument gives.
pub(crate) async fn find(apps: &Apps, app: &str) -> anyhow::Result<App> {
    let id = AppId::stored(app).with_context(|| format!("invalid application id {app:?}"))?;
    apps.find(&id).await?.with_context(|| format!("no application {id}"))
}

/// `name` as the display name of an app; it is printed and shown in many places.
pub(crate) fn display_name(name: &str) -> anyhow::Result<String> {
    ensure!(is_printable(name), "--name: {name:?} has a control or invisible character");
    Ok(name.to_owned())
}

/// Applies `edit` to the app and returns the result. `edit` is repeated if the app has changed
/// meanwhile; without a difference nothing is written.
pub(crate) async fn edit(
    apps: &Apps,
    app: &str,
    edit: impl Fn(&mut App) -> anyhow::Result<()>,
) -> anyhow::Result<App> {
    for _ in 0..MAX_ATTEMPTS {
        let before = find(apps, app).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        if after == before || apps.save(&before, &after).await? == Saved::Done {
            return Ok(after);
        }
    }
    bail!("cannot save application {app}: others are changing it; try again")
}
