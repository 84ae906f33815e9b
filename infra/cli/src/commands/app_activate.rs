//! `nsl app deactivate` and `nsl app activate`. Requests of an inactive app are rejected, and its connections
//! are closed; if some cannot be closed, the command fails although the app is inactive.

use crate::app_edit::edit;
use crate::app_view;
use crate::args::AppNamed;
use crate::cli::Cli;
use crate::disconnect::{self, Disconnected};
use crate::store::{self, Store};
use anyhow::bail;
use nsl_client::console::Console;
use nsl_domain::app::{App, Status};
use serde_json::json;

pub(crate) async fn run(args: AppNamed, status: Status, cli: &Cli) -> anyhow::Result<()> {
    let store = store::open(cli, args.table.as_deref()).await?;
    let app = edit(&store.apps, &args.app, |app| {
        app.status = status;
        Ok(())
    })
    .await?;
    let disconnected = match (&store.live, status) {
        (Some(live), Status::Inactive) => Some(disconnect::close_all(live, &app.id, &cli.console).await?),
        (Some(_), Status::Active) | (None, _) => None,
    };
    show(&app, &store, disconnected.as_ref(), &cli.console)?;
    match disconnected.and_then(|disconnected| disconnected.error()) {
        None => Ok(()),
        Some(error) => bail!("{error}; their requests are rejected within a minute, or try again"),
    }
}

fn show(
    app: &App,
    store: &Store,
    disconnected: Option<&Disconnected>,
    console: &Console,
) -> anyhow::Result<()> {
    if console.is_json() {
        let mut document = app_view::document(app, store.retention.unwrap_or_default());
        document.insert("closed".to_owned(), json!(disconnected.map(|disconnected| disconnected.closed)));
        document.insert("notClosed".to_owned(), json!(disconnected.map(Disconnected::open)));
        console.document(&document)?;
        return Ok(());
    }
    console.line(format!("{} is {}", app.id, app.status.as_str()))?;
    match disconnected {
        Some(disconnected) => console.line(format!("closed {} connections", disconnected.closed))?,
        None if app.status == Status::Inactive => console.note(
            "requests on open connections are rejected within a minute; --stack NAME closes them at once",
        ),
        None => console.note("running functions use the change within a minute"),
    }
    Ok(())
}
