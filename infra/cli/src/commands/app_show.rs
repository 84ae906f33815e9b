//! `nsl app show`: the settings of an application, its number of connections, and publishers with wrong clocks.

use crate::app_view::{card, document, row};
use crate::args::{AppNamed, Place};
use crate::settings::Settings;
use crate::{app_edit, clock_skew, store};
use nsl_client::clock;
use nsl_client::console::Console;
use serde_json::json;

pub(crate) async fn run(
    args: AppNamed,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let store = store::open(place, args.table.as_deref(), settings).await?;
    let app = app_edit::find(&store.apps, &args.app).await?;
    let retention = store.retention.unwrap_or_default();
    let (mut connected, mut wrong_clocks) = (None, None);
    if let Some(live) = &store.live {
        connected = Some(live.publishers.connected(&app.id, clock::now()).await?.len());
        wrong_clocks = Some(live.publishers.wrong_clocks(&app.id, clock::now()).await?);
    }
    if console.is_json() {
        let mut document = document(&app, retention);
        document.insert("connections".to_owned(), json!(connected));
        document.insert("wrongClocks".to_owned(), json!(wrong_clocks.as_deref().map(clock_skew::documents)));
        console.document(&document)?;
        return Ok(());
    }
    console.line(&card(&app, retention))?;
    if let Some(connected) = connected {
        console.line(&row("connected", &connected.to_string()))?;
    }
    for clock in wrong_clocks.iter().flatten() {
        console.line(&row("clock", &clock_skew::line(clock)))?;
    }
    Ok(())
}
