//! `nsl repair --list`: the quarantined stream records, which could not be read. Their reports are still in the table of
//! reports; the list helps to find the cause.

use crate::args::Repair;
use crate::cli::Cli;
use crate::store;
use anyhow::Context as _;
use nsl_aws::rollups::Quarantined;
use nsl_client::clock;
use nsl_domain::ids::AppId;
use serde_json::json;

/// Characters of a record that are shown.
const SHOWN_CHARACTERS: usize = 120;

pub(crate) async fn run(args: Repair, cli: &Cli) -> anyhow::Result<()> {
    let app = args.app.as_deref().map(AppId::new).transpose().context("invalid application id")?;
    let store = store::open(cli, args.table.as_deref()).await?;
    let live = store.live.as_ref().context("listing quarantined records needs --local or --stack NAME")?;
    let records = live.rollups.quarantined(app.as_ref(), clock::now()).await?;
    if !cli.console.is_json() && records.is_empty() {
        cli.console.note("no quarantined records");
    }
    for record in &records {
        if cli.console.is_json() {
            cli.console
                .document(&json!({"appId": app, "sequence": record.sequence, "reason": record.reason,
                "expiresAt": record.expires_at, "record": record.record}))?;
        } else {
            cli.console.lines(lines(record))?;
        }
    }
    Ok(())
}

fn lines(record: &Quarantined) -> [String; 2] {
    let shown: String = record.record.chars().take(SHOWN_CHARACTERS).collect();
    let rest = if shown.len() < record.record.len() { "…" } else { "" };
    let heading = format!("{}  kept until {}: {}", record.sequence, record.expires_at, record.reason);
    [heading, format!("  {shown}{rest}")]
}
