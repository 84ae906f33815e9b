//! `nsl app delete`: deletes an app and everything that is stored for it.
//!
//! It is deactivated first and deleted last, so that an interrupted command can be repeated. Functions cache the
//! app for a minute; what they store meanwhile is erased in a second pass. Connections that cannot be closed do
//! not stop the deletion, because their requests are rejected.

use crate::app_edit::{edit, find};
use crate::app_removal::remove;
use crate::args::AppDelete;
use crate::cli::Cli;
use crate::{disconnect, store};
use anyhow::{Context as _, bail};
use nsl_domain::app::Status;
use serde_json::json;

pub(crate) async fn run(args: AppDelete, cli: &Cli) -> anyhow::Result<()> {
    let store = store::open(cli, args.named.table.as_deref()).await?;
    let live = store.live.as_ref().context("deleting an application needs --local or --stack NAME")?;
    let app = find(&store.apps, &args.named.app).await?;
    let question = format!("delete {} with all its reports?", app.id);
    if !args.yes && !cli.console.confirm(&question, app.id.as_str())? {
        bail!("nothing was deleted: confirm with --yes, or type the application's id");
    }
    let app = edit(&store.apps, app.id.as_str(), |app| {
        app.status = Status::Inactive;
        Ok(())
    })
    .await?;
    let disconnected = disconnect::close_all(live, &app.id, &cli.console).await?;
    let erased = remove(&store.apps, live, &app, args.settle, &cli.console).await?;
    if let Some(error) = disconnected.error() {
        cli.console.note(&format!("{error}; their requests are rejected within a minute"));
    }
    let (closed, open) = (disconnected.closed, disconnected.open());
    let document = json!({"appId": app.id, "deleted": true, "closed": closed, "notClosed": open,
        "erased": erased});
    let text = || format!("deleted {}: {closed} connections closed, {erased} rows erased", app.id);
    Ok(cli.console.show(&document, text)?)
}
