//! `nsl app deactivate` and `activate`: an application that is off is refused, and its connections are closed.

use super::app_change::change;
use super::app_show;
use crate::args::{AppNamed, Place};
use crate::console::Console;
use crate::settings::Settings;
use crate::{closing, store};
use nsl_domain::app::Status;
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
    if console.is_json() {
        let mut document = app_show::document(&app);
        document.insert("closed".to_owned(), json!(closed));
        console.document(&document)?;
        return Ok(());
    }
    console.line(&format!("{} is {}", app.id, app_show::status(app.status)))?;
    match closed {
        Some(closed) => console.line(&format!("closed {closed} connections"))?,
        None if status == Status::Inactive => {
            console.note("open connections are refused within a minute; --stack NAME closes them at once");
        }
        None => console.note("running functions follow within a minute"),
    }
    Ok(())
}
