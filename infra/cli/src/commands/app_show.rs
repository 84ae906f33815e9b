//! `nsl app show`: the settings of an app, its number of connections, and publishers with wrong clocks.

use crate::app_view::{card, document, row};
use crate::args::AppNamed;
use crate::cli::Cli;
use crate::{app_edit, clock_skew, store};
use nsl_client::clock;
use serde_json::json;

pub(crate) async fn run(args: AppNamed, cli: &Cli) -> anyhow::Result<()> {
    let store = store::open(cli, args.table.as_deref()).await?;
    let app = app_edit::find(&store.apps, &args.app).await?;
    let retention = store.retention.unwrap_or_default();
    let (mut connected, mut wrong_clocks) = (None, None);
    if let Some(live) = &store.live {
        connected = Some(live.publishers.connected(&app.id, clock::now()).await?.len());
        wrong_clocks = Some(live.publishers.wrong_clocks(&app.id, clock::now()).await?);
    }
    if cli.console.is_json() {
        let mut document = document(&app, retention);
        document.insert("connections".to_owned(), json!(connected));
        document.insert("wrongClocks".to_owned(), json!(wrong_clocks));
        cli.console.document(&document)?;
        return Ok(());
    }
    cli.console.lines(card(&app, retention))?;
    if let Some(connected) = connected {
        cli.console.line(row("connected", &connected.to_string()))?;
    }
    for clock in wrong_clocks.iter().flatten() {
        cli.console.line(row("clock", &clock_skew::line(clock)))?;
    }
    Ok(())
}
