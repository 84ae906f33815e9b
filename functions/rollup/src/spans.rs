//! The spans of one app-shard that a batch makes out of date.
//!
//! Owns their order: what is above the touched minutes is opened, then these are computed, then level by level what is
//! due above. App-shards share nothing, so they are dealt with side by side; how much of the tables is in memory at a
//! time is bounded over all of them. Ruled by design.md §6.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use nsl_aws::compute::{Computed, RollupComputer};
use nsl_aws::fault::Fault;
use nsl_domain::rollup::{AppShard, RollupSpan, due_coarser};
use tokio::sync::Semaphore;

/// App-shards that are dealt with at a time.
pub(crate) const CONCURRENT_SHARDS: usize = 8;

/// Spans that are opened or computed at a time, over all app-shards: each may hold a page of reports, a megabyte.
pub(crate) const CONCURRENT_SPANS: usize = 8;

/// One app-shard's part in a batch.
#[derive(Debug)]
pub(crate) struct OutOfDate<'c> {
    /// Computes its spans.
    pub(crate) computer: &'c RollupComputer,
    /// Which it is.
    pub(crate) shard: AppShard,
    /// The minutes that the batch's reports lie in.
    pub(crate) minutes: BTreeSet<RollupSpan>,
}

/// What became of an app-shard's spans.
#[derive(Debug)]
pub(crate) struct RolledUp {
    /// Whose they are.
    pub(crate) shard: AppShard,
    /// How many are stored anew.
    pub(crate) written: usize,
    /// How many were stored as they are.
    pub(crate) unchanged: usize,
    /// Those that were not opened or computed: the reports in them have to come again.
    pub(crate) failed: BTreeSet<RollupSpan>,
}

impl OutOfDate<'_> {
    /// Brings the spans up to date. At most as many at a time as there are `permits`, which are shared with others.
    pub(crate) async fn roll_up(self, permits: &Semaphore) -> RolledUp {
        let Self { shard, minutes, .. } = &self;
        let mut done = RolledUp { shard: shard.clone(), written: 0, unchanged: 0, failed: BTreeSet::new() };
        let mut level = self.open_above(permits).await;
        done.failed.extend(minutes.difference(&level));
        while !level.is_empty() {
            let computed = self.compute_level(&level, permits, &mut done).await;
            done.failed.extend(level.difference(&computed));
            // Asked for after the writes: who finds a span running has written it before it is over.
            level = due_coarser(&computed, self.computer.now());
        }
        done
    }

    /// Opens what is above the minutes, one after another, and gives the minutes above which all is open.
    async fn open_above(&self, permits: &Semaphore) -> BTreeSet<RollupSpan> {
        let above: BTreeSet<RollupSpan> = self.minutes.iter().filter_map(|minute| minute.coarser()).collect();
        let mut opened = BTreeSet::new();
        for span in above {
            let _permit = permits.acquire().await;
            match self.computer.open(&self.shard, span).await {
                Ok(()) => opened.extend(self.minutes.iter().filter(|minute| minute.coarser() == Some(span))),
                Err(fault) => self.tell(span, &fault, "a span was not opened"),
            }
        }
        opened
    }

    /// Computes spans of one resolution and gives those that are done.
    async fn compute_level(
        &self,
        level: &BTreeSet<RollupSpan>,
        permits: &Semaphore,
        done: &mut RolledUp,
    ) -> BTreeSet<RollupSpan> {
        let begun = level.iter().map(|span| async move {
            let _permit = permits.acquire().await;
            (*span, self.computer.compute(&self.shard, *span).await)
        });
        let mut ended = stream::iter(begun).buffer_unordered(CONCURRENT_SPANS);
        let mut computed = BTreeSet::new();
        while let Some((span, outcome)) = ended.next().await {
            match outcome {
                Ok(outcome) => {
                    done.written += usize::from(outcome == Computed::Written);
                    done.unchanged += usize::from(outcome == Computed::Unchanged);
                    computed.insert(span);
                }
                Err(fault) => self.tell(span, &fault, "a span was not computed"),
            }
        }
        computed
    }

    fn tell(&self, span: RollupSpan, fault: &Fault, what: &'static str) {
        tracing::error!(app = %self.shard.app, start = %span.start(), reason = fault.chain(), "{what}");
    }
}
