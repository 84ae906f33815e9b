//! What the commands that change an application share: read, edit, save, and again where somebody was faster.

use anyhow::{Context as _, bail};
use nsl_aws::apps::{Apps, Saved};
use nsl_domain::app::App;
use nsl_domain::ids::AppId;

/// Times that a change is tried where others change the same application at the same moment.
const MAX_ATTEMPTS: usize = 5;

/// The application that an argument names.
pub(crate) async fn find(apps: &Apps, app: &str) -> anyhow::Result<App> {
    let id = AppId::new(app).with_context(|| format!("{app:?} is no application's id"))?;
    apps.find(&id).await?.with_context(|| format!("there is no application {id}"))
}

/// Edits the application that `app` names and answers what it is after. `edit` may run several times, each time on
/// what the application is by then; an edit that changes nothing writes nothing.
pub(crate) async fn change(
    apps: &Apps,
    app: &str,
    edit: impl Fn(&mut App) -> anyhow::Result<()>,
) -> anyhow::Result<App> {
    for _ in 0..MAX_ATTEMPTS {
        let was = find(apps, app).await?;
        let mut is = was.clone();
        edit(&mut is)?;
        if is == was || apps.save(&was, &is).await? == Saved::Done {
            return Ok(is);
        }
    }
    bail!("application {app} is being changed by others: try again")
}
