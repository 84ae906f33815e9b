//! `nsl app update`: changes an app's name, `legacy` flag, shards, limits and retention, and revokes tokens.

use crate::app_edit::{display_name, edit};
use crate::app_view;
use crate::args::AppUpdate;
use crate::cli::Cli;
use crate::store;
use anyhow::ensure;
use nsl_client::clock;
use nsl_domain::app::App;
use nsl_domain::time::{SECOND_MS, TimestampMs};

pub(crate) async fn run(args: AppUpdate, cli: &Cli) -> anyhow::Result<()> {
    let store = store::open(cli, args.named.table.as_deref()).await?;
    let now = clock::now();
    let app = edit(&store.apps, &args.named.app, |app| update(app, &args, now)).await?;
    let retention = store.retention.unwrap_or_default();
    cli.console.show_lines(&app_view::document(&app, retention), || app_view::card(&app, retention))?;
    cli.console.hint("running functions use the change within a minute");
    Ok(())
}

fn update(app: &mut App, args: &AppUpdate, now: TimestampMs) -> anyhow::Result<()> {
    if let Some(name) = &args.name {
        app.name = display_name(name)?;
    }
    if let Some(legacy) = args.legacy {
        app.legacy = legacy;
    }
    if let Some(shards) = args.shards {
        // With fewer shards history would no longer read the reports of the others.
        ensure!(shards >= app.shards, "{} has {} shards, and they can only grow", app.id, app.shards);
        app.shards = shards;
    }
    args.settings.apply(app)?;
    if args.revoke_tokens {
        // Tokens contain the second of their issue. Those of the current second are revoked too.
        app.tokens_not_before = Some(now.aligned_to(SECOND_MS).plus_ms(SECOND_MS));
    }
    Ok(())
}
