//! Reads what answers a window: rollups in at most two rounds, then the raw tail.
//!
//! Owns the reads and what they add up to for caching. Decides nothing: `domain::history::Reading` says what to ask
//! for and what counts. Ruled by design.md §6, "Reads".

use std::hash::{DefaultHasher, Hash, Hasher};

use futures_util::future::try_join_all;
use nsl_aws::fault::Fault;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::{Held, Rollups};
use nsl_domain::app::App;
use nsl_domain::history::{HistoryFold, Reading};
use nsl_domain::report::Report;
use nsl_domain::rollup::{AppShard, Rollup};
use nsl_domain::time::TimestampMs;
use nsl_domain::window::Window;

/// What a window is answered from.
#[derive(Debug)]
pub(crate) struct Gathered {
    shards: Vec<ShardParts>,
    complete_to: TimestampMs,
}

#[derive(Debug)]
struct ShardParts {
    rollups: Vec<Rollup>,
    tail: Vec<Report>,
    /// Where the answer ends because the tail was left out.
    cut_at: Option<TimestampMs>,
    /// Tells apart what was read from any other state of it.
    mark: u64,
}

impl Gathered {
    /// Up to where an answer from it is complete, exclusive.
    pub(crate) fn complete_to(&self) -> TimestampMs {
        self.complete_to
    }

    /// The same for the same rollups, by version, and the same raw reports.
    pub(crate) fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.shards.iter().for_each(|shard| shard.mark.hash(&mut hasher));
        hasher.finish()
    }

    /// Adds all of it to `fold` and tells how many stored documents could not be read.
    pub(crate) fn fold_into(&self, fold: &mut HistoryFold) -> usize {
        let mut unreadable = 0;
        for shard in &self.shards {
            shard.rollups.iter().for_each(|rollup| fold.add_rollup(rollup));
            for report in &shard.tail {
                let hash = report.document.hash();
                let added = fold.add(report.timestamp, &report.source, hash, report.document.as_str());
                unreadable += usize::from(added.is_err());
            }
        }
        unreadable
    }
}

/// Reads what answers `window` of `app` at `now`, all write shards at once.
pub(crate) async fn gather(
    (rollups, reports): (&Rollups, &Reports),
    app: &App,
    window: Window,
    now: TimestampMs,
) -> Result<Gathered, Fault> {
    let rollups = &rollups.keeping(app.retention.over(rollups.retention()));
    let read = (0..app.shards).map(|shard| {
        let shard = AppShard { app: app.id.clone(), shard };
        async move { read_shard((rollups, reports), &shard, window, now).await }
    });
    let shards = try_join_all(read).await?;
    let cut_at = shards.iter().filter_map(|shard| shard.cut_at).min();
    let complete_to = cut_at.unwrap_or(now).min(window.to());
    Ok(Gathered { shards, complete_to })
}

async fn read_shard(
    (rollups, reports): (&Rollups, &Reports),
    shard: &AppShard,
    window: Window,
    now: TimestampMs,
) -> Result<ShardParts, Fault> {
    let mut reading = Reading::of(window, now);
    let mut mark = DefaultHasher::new();
    loop {
        let wanted = reading.wanted();
        if wanted.is_empty() {
            break;
        }
        let asked =
            wanted.iter().map(|one| rollups.shown_between(shard, one.resolution, (one.from, one.to), now));
        for held in try_join_all(asked).await?.into_iter().flatten() {
            (held.span, held.version).hash(&mut mark);
            reading.take(readable(shard, &held));
        }
    }
    let (mut tail, mut cut_at) = (Vec::new(), None);
    if let Some((from, to)) = reading.tail() {
        match reports.tail(shard, (from, to), now).await? {
            Some(reports) => tail = reports,
            None => cut_at = Some(from),
        }
    }
    tail.iter().for_each(|report| report.id().hash(&mut mark));
    let rollups = reading.counted().cloned().collect();
    Ok(ShardParts { rollups, tail, cut_at, mark: mark.finish() })
}

/// The rollup of a stored item, unless it cannot be read: finer ones, or a repair, may still tell what it held.
fn readable(shard: &AppShard, held: &Held) -> Option<Rollup> {
    match held.rollup() {
        Ok(rollup) => Some(rollup),
        Err(unreadable) => {
            tracing::error!(app = %shard.app, start = %held.span.start(), reason = %unreadable, "a rollup is left out");
            None
        }
    }
}
