//! `nsl repair`: recomputes the rollups of a time range from raw reports and finer rollups.
//!
//! It runs the rollup function's code, so both may work on the same time range, and it can be interrupted and repeated.
//! Rollups that do not change are not written.

use crate::app_edit::find;
use crate::args::Repair;
use crate::cli::Cli;
use crate::store;
use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use nsl_aws::compute::{Computed, RollupComputer};
use nsl_aws::repair::Repair as Repairing;
use nsl_client::clock;
use nsl_client::console::Console;
use nsl_client::progress::Progress;
use nsl_domain::app::App;
use nsl_domain::resolution::Resolution;
use nsl_domain::time::{HOUR_MS, TimestampMs};
use nsl_domain::time_span::TimeSpan;
use serde::Serialize;
use std::sync::Arc;

/// Rollups that are computed concurrently.
const CONCURRENCY: usize = 8;

/// Number of rollups by outcome.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    written: usize,
    unchanged: usize,
    /// Their reports or finer rollups are past retention, so they are left as they are.
    too_old: usize,
}

/// The result as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    app_id: &'a str,
    from: TimestampMs,
    to: TimestampMs,
    #[serde(flatten)]
    counts: Counts,
}

pub(crate) async fn run(args: Repair, cli: &Cli) -> anyhow::Result<()> {
    let from = args.from.context("--from is missing")?;
    let to = args.to.unwrap_or_else(clock::now);
    if from >= to {
        bail!("the time range is empty: --from must be before --to");
    }
    let store = store::open(cli, args.table.as_deref()).await?;
    let live = store.live.as_ref().context("repairing rollups needs --local or --stack NAME")?;
    let app = find(&store.apps, &args.app.context("no application named: give its id")?).await?;
    if store.retention.is_none() {
        let assumed = live.rollups.retention().raw_ms / HOUR_MS;
        cli.console.note(&format!("the retention of raw reports is unknown, assuming {assumed} hours"));
    }
    let rollups = live.rollups.with_retention(app.retention.with_defaults(live.rollups.retention()));
    let computer = RollupComputer::new(live.reports.clone(), rollups, Arc::new(clock::now));
    let counts = repair(&computer, &app, TimeSpan::new(from, to), &cli.console).await?;
    let Counts { written, unchanged, too_old } = counts;
    cli.console.show(&Outcome { app_id: app.id.as_str(), from, to, counts }, || {
        format!("repaired {}: {written} rollups written, {unchanged} unchanged", app.id)
    })?;
    if too_old > 0 {
        cli.console.hint(&format!("skipped {too_old} rollups whose reports are past retention"));
    }
    Ok(())
}

/// Computes the rollups in `window` from fine to coarse.
async fn repair(
    computer: &RollupComputer,
    app: &App,
    window: TimeSpan,
    console: &Console,
) -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    let mut repair = Repairing::new(computer, app, window);
    while let Some(level) = repair.next_level().await? {
        let progress = Progress::start(console, name(level.resolution), level.spans.len() as u64);
        let computing = stream::iter(&level.spans).map(|(shard, span)| async {
            let computed = computer.repair(shard, *span).await;
            progress.step();
            computed
        });
        let computed: Vec<Computed> = computing.buffer_unordered(CONCURRENCY).try_collect().await?;
        let count = |outcome| computed.iter().filter(|computed| **computed == outcome).count();
        counts.written += count(Computed::Written);
        counts.unchanged += count(Computed::Unchanged);
        counts.too_old += count(Computed::TooOld);
    }
    Ok(counts)
}

fn name(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Minute => "1-minute rollups",
        Resolution::TenMinutes => "10-minute rollups",
        Resolution::Hour => "1-hour rollups",
        Resolution::Day => "1-day rollups",
    }
}
