//! `nsl app list`: the apps of one user, one per line.

use crate::args::AppList;
use crate::cli::Cli;
use crate::commands::app_create::LOCAL_OWNER;
use crate::store;
use anyhow::Context as _;
use nsl_aws::apps::AppSummary;
use nsl_domain::ids::UserId;
use serde_json::json;

pub(crate) async fn run(args: AppList, cli: &Cli) -> anyhow::Result<()> {
    let is_local = cli.place.local.is_some();
    let owner = args.owner.or_else(|| is_local.then(|| LOCAL_OWNER.to_owned()));
    let store = store::open(cli, args.table.as_deref()).await?;
    let owner = UserId::new(owner.context("no owner named: give --owner USER")?).context("--owner")?;
    let listed = store.apps.of_owner(&owner).await?;
    if cli.console.is_json() {
        for app in &listed {
            cli.console.document(&json!({"appId": app.id, "name": app.name, "status": app.status}))?;
        }
    } else if listed.is_empty() {
        cli.console.note(&format!("{owner} has no applications"));
    } else {
        cli.console.lines(table(&listed))?;
    }
    Ok(())
}

fn table(listed: &[AppSummary]) -> Vec<String> {
    let header = ("APP", "STATUS", "NAME");
    let rows: Vec<_> = std::iter::once(header)
        .chain(listed.iter().map(|app| (app.id.as_str(), app.status.as_str(), app.name.as_str())))
        .collect();
    let width = rows.iter().map(|(id, ..)| id.len()).max().unwrap_or_default();
    rows.iter().map(|(id, status, name)| format!("{id:<width$}  {status:<8}  {name}")).collect()
}
