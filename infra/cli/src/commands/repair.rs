//! `nsl repair`: the rollups of a span computed anew from what is below them, raw reports first.
//!
//! It does what the rollup function does, so that both may work on one span at once, and an interrupted repair is run
//! again. What changes nothing is not written.

use super::app_change::find;
use crate::args::{Place, Repair};
use crate::clock;
use crate::console::Console;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::store;
use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use nsl_aws::compute::{Computed, RollupComputer};
use nsl_aws::repair::Repair as Repairing;
use nsl_domain::app::App;
use nsl_domain::resolution::Resolution;
use nsl_domain::time::{HOUR_MS, TimestampMs};
use nsl_domain::time_span::TimeSpan;
use serde::Serialize;
use std::sync::Arc;

/// Spans that are computed at a time.
const CONCURRENT_SPANS: usize = 8;

/// Spans by what became of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tally {
    written: usize,
    unchanged: usize,
    /// What is below them is partly past its age: they stay as they are.
    too_old: usize,
}

/// What a repair did, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    app_id: &'a str,
    from: TimestampMs,
    to: TimestampMs,
    #[serde(flatten)]
    tally: Tally,
}

/// Computes the span that the arguments name anew.
pub(crate) async fn run(
    args: Repair,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let from = args.from.context("--from is missing")?;
    let to = args.to.unwrap_or_else(clock::now_ms);
    if from >= to {
        bail!("the span is empty: --from must be before --to");
    }
    let store = store::open(place, args.table.as_deref(), settings).await?;
    let live = store.live.as_ref().context("the rollups are found with --local or --stack NAME")?;
    let app = find(&store.apps, &args.app.context("which application?")?).await?;
    if store.retention.is_none() {
        let assumed = live.rollups.retention().raw_ms / HOUR_MS;
        console.note(&format!(
            "the service does not tell how long it keeps raw reports: {assumed} hours are assumed"
        ));
    }
    let rollups = live.rollups.with_retention(app.retention.with_defaults(live.rollups.retention()));
    let computer = RollupComputer::new(live.reports.clone(), rollups, Arc::new(clock::now_ms));
    let tally = repair(&computer, &app, TimeSpan::new(from, to), console).await?;
    if console.is_json() {
        return Ok(console.document(&Outcome { app_id: app.id.as_str(), from, to, tally })?);
    }
    let Tally { written, unchanged, too_old } = tally;
    console
        .line(&format!("repaired {}: {written} rollups written, {unchanged} right as they were", app.id))?;
    if too_old > 0 {
        console
            .note(&format!("{too_old} are too old to be computed anew: what they are made of is not kept"));
    }
    Ok(())
}

/// Computes what there is in `window`, resolution by resolution, from fine to coarse.
async fn repair(
    computer: &RollupComputer,
    app: &App,
    window: TimeSpan,
    console: &Console,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut repair = Repairing::of(computer, app, window);
    while let Some(level) = repair.next_level().await? {
        let progress = Progress::start(console, what(level.resolution), level.spans.len());
        let computing = stream::iter(&level.spans).map(|(shard, span)| async {
            let computed = computer.repair(shard, *span).await;
            progress.step();
            computed
        });
        let computed: Vec<Computed> = computing.buffer_unordered(CONCURRENT_SPANS).try_collect().await?;
        let count = |outcome| computed.iter().filter(|computed| **computed == outcome).count();
        tally.written += count(Computed::Written);
        tally.unchanged += count(Computed::Unchanged);
        tally.too_old += count(Computed::TooOld);
    }
    Ok(tally)
}

fn what(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Minute => "minutes",
        Resolution::TenMinutes => "ten minutes",
        Resolution::Hour => "hours",
        Resolution::Day => "days",
    }
}
