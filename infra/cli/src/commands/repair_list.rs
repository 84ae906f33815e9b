//! `nsl repair --list`: the stream records that could not be read, as they were set aside. What they report is in the
//! table of reports all the same: they are there for whoever looks for the cause.

use crate::args::{Place, Repair};
use crate::clock;
use crate::console::Console;
use crate::settings::Settings;
use crate::store;
use anyhow::Context as _;
use nsl_aws::rollups::Quarantined;
use nsl_domain::ids::AppId;
use serde_json::json;

/// Characters of a record that a line for people shows.
const SHOWN_CHARACTERS: usize = 120;

/// Lists the records of the application that the arguments name, or those that name none.
pub(crate) async fn run(
    args: Repair,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let app = args.app.as_deref().map(AppId::new).transpose().context("the application")?;
    let store = store::open(place, args.table.as_deref(), settings).await?;
    let live = store.live.as_ref().context("the quarantine is found with --local or --stack NAME")?;
    let records = live.rollups.quarantined(app.as_ref(), clock::now_ms()).await?;
    if !console.is_json() && records.is_empty() {
        console.note("no record is set aside");
    }
    for record in &records {
        if console.is_json() {
            console.document(&json!({"appId": app, "sequence": record.sequence, "reason": record.reason,
                "expiresAt": record.expires_at, "record": record.record}))?;
        } else {
            console.line(&line(record))?;
        }
    }
    Ok(())
}

fn line(record: &Quarantined) -> String {
    let shown: String = record.record.chars().take(SHOWN_CHARACTERS).collect();
    let rest = if shown.len() < record.record.len() { "…" } else { "" };
    format!("{}  kept until {}: {}\n  {shown}{rest}", record.sequence, record.expires_at, record.reason)
}
