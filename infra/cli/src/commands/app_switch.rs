//! `nsl app deactivate` and `activate`: an application that is off is refused, and its connections are closed. It is
//! off though some of them cannot be closed; then the command says so and fails.

use super::app_change::change;
use super::app_show;
use crate::args::{AppNamed, Place};
use crate::closing::{self, Closing};
use crate::console::Console;
use crate::settings::Settings;
use crate::store::{self, Store};
use anyhow::bail;
use nsl_domain::app::{App, Status};
use serde_json::json;

/// Sets the application's status, and closes what is open where it is switched off.
pub(crate) async fn run(
    args: AppNamed,
    status: Status,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let store = store::open(place, args.table.as_deref(), settings).await?;
    let app = change(&store.apps, &args.app, |app| {
        app.status = status;
        Ok(())
    })
    .await?;
    let closed = match (&store.live, status) {
        (Some(live), Status::Inactive) => Some(closing::close_all(live, &app.id, console).await?),
        _ => None,
    };
    tell(&app, &store, closed.as_ref(), console)?;
    match closed.and_then(|closed| closed.complaint()) {
        None => Ok(()),
        Some(complaint) => bail!("{complaint}; they are refused within a minute, or run this again"),
    }
}

fn tell(app: &App, store: &Store, closed: Option<&Closing>, console: &Console) -> anyhow::Result<()> {
    if console.is_json() {
        let mut document = app_show::document(app, store.retention.unwrap_or_default());
        document.insert("closed".to_owned(), json!(closed.map(|closed| closed.closed)));
        document.insert("notClosed".to_owned(), json!(closed.map(Closing::open)));
        console.document(&document)?;
        return Ok(());
    }
    console.line(&format!("{} is {}", app.id, app_show::status(app.status)))?;
    match closed {
        Some(closed) => console.line(&format!("closed {} connections", closed.closed))?,
        None if app.status == Status::Inactive => {
            console.note("open connections are refused within a minute; --stack NAME closes them at once");
        }
        None => console.note("running functions follow within a minute"),
    }
    Ok(())
}
