//! Recomputes the rollups of one write shard that a batch makes out of date.
//!
//! First opens the spans above the affected minutes, then computes the minutes, then level by level what is due above
//! them. Write shards share nothing, so they run concurrently, within one limit for all of them.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use nsl_aws::compute::{Computed, RollupComputer};
use nsl_aws::fault::{Fault, Kind};
use nsl_aws::isolation::isolated;
use nsl_domain::rollup::{AppShard, RollupSpan, due_coarser};
use tokio::sync::Semaphore;

/// Spans opened or computed at a time, over all write shards: each may read a page of reports, a megabyte.
pub(crate) const CONCURRENT_SPANS: usize = 8;

/// The minutes of one write shard that contain reports of the batch.
#[derive(Debug)]
pub(crate) struct ShardRollup<'c> {
    pub(crate) computer: &'c RollupComputer,
    pub(crate) shard: AppShard,
    pub(crate) minutes: BTreeSet<RollupSpan>,
}

/// What was done for one write shard.
#[derive(Debug)]
pub(crate) struct ShardOutcome {
    pub(crate) shard: AppShard,
    /// Rollups written.
    pub(crate) written: usize,
    /// Rollups that were already as computed.
    pub(crate) unchanged: usize,
    /// Spans that could not be opened or computed: the records of their reports must be retried.
    pub(crate) failed: BTreeSet<RollupSpan>,
    /// Those of them whose computation panicked twice, which a retry would repeat.
    pub(crate) panicked: BTreeSet<RollupSpan>,
}

impl ShardOutcome {
    /// Nothing is done for `shard` yet.
    fn of(shard: &AppShard) -> Self {
        let (failed, panicked) = (BTreeSet::new(), BTreeSet::new());
        Self { shard: shard.clone(), written: 0, unchanged: 0, failed, panicked }
    }
}

impl ShardRollup<'_> {
    /// Brings the rollups up to date. `permits` limits the concurrent spans of all write shards.
    pub(crate) async fn run(self, permits: &Semaphore) -> ShardOutcome {
        let Self { shard, minutes, .. } = &self;
        let mut outcome = ShardOutcome::of(shard);
        let mut level = self.open_above(permits, &mut outcome).await;
        outcome.failed.extend(minutes.difference(&level));
        while !level.is_empty() {
            let computed = self.compute_level(&level, permits, &mut outcome).await;
            outcome.failed.extend(level.difference(&computed));
            // The time is read after the writes: a span still running now was written before its end.
            level = due_coarser(&computed, self.computer.now());
        }
        outcome
    }

    /// Opens the spans above the minutes one by one; returns the minutes above which all spans are open.
    async fn open_above(&self, permits: &Semaphore, outcome: &mut ShardOutcome) -> BTreeSet<RollupSpan> {
        let above: BTreeSet<RollupSpan> = self.minutes.iter().filter_map(|minute| minute.coarser()).collect();
        let mut opened = BTreeSet::new();
        for span in above {
            let _permit = permits.acquire().await;
            let below = self.minutes.iter().filter(|minute| minute.coarser() == Some(span));
            match repeated_if_panicked("open a rollup", || self.computer.open(&self.shard, span)).await {
                Ok(()) => opened.extend(below),
                Err(fault) => {
                    if fault.kind == Kind::Panicked {
                        outcome.panicked.extend(below);
                    }
                    tracing::error!(app = %self.shard.app, start = %span.start(), reason = fault.chain(), "opening a rollup failed");
                }
            }
        }
        opened
    }

    /// Computes spans of one resolution; returns those that are done.
    async fn compute_level(
        &self,
        level: &BTreeSet<RollupSpan>,
        permits: &Semaphore,
        outcome: &mut ShardOutcome,
    ) -> BTreeSet<RollupSpan> {
        let started = level.iter().map(|span| async move {
            let _permit = permits.acquire().await;
            let compute = || self.computer.compute(&self.shard, *span);
            (*span, repeated_if_panicked("compute a rollup", compute).await)
        });
        let mut finished = stream::iter(started).buffer_unordered(CONCURRENT_SPANS);
        let mut computed = BTreeSet::new();
        while let Some((span, result)) = finished.next().await {
            match result {
                Ok(result) => {
                    outcome.written += usize::from(result == Computed::Written);
                    outcome.unchanged += usize::from(result == Computed::Unchanged);
                    computed.insert(span);
                }
                Err(fault) => {
                    if fault.kind == Kind::Panicked {
                        outcome.panicked.insert(span);
                    }
                    tracing::error!(app = %self.shard.app, start = %span.start(), reason = fault.chain(), "computing a rollup failed");
                }
            }
        }
        computed
    }
}

/// Completes `work`, a second time if it panics. What panics twice would panic whenever its batch is retried.
pub(crate) async fn repeated_if_panicked<T, F>(
    attempt: &'static str,
    work: impl Fn() -> F,
) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    match isolated(attempt, work()).await.flatten() {
        Err(fault) if fault.kind == Kind::Panicked => isolated(attempt, work()).await.flatten(),
        completed => completed,
    }
}
