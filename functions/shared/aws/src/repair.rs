//! Recomputes the rollups of a window after a loss or damage, at an operator's request.
//!
//! The spans are those that are stored, and the minutes of stored reports. Each is computed as the rollup function does
//! it, so that both may run at once.

use std::collections::BTreeSet;

use nsl_domain::app::App;
use nsl_domain::report::MAX_AHEAD_MS;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, RAW_GRACE_MS, RollupSpan};
use nsl_domain::time_span::TimeSpan;

use crate::compute::{Computed, RollupComputer};
use crate::fault::Fault;

/// The repair of one app's window, from the finest resolution to the coarsest.
#[derive(Debug)]
pub struct Repair<'c> {
    computer: &'c RollupComputer,
    shards: Vec<AppShard>,
    window: TimeSpan,
    left: std::array::IntoIter<Resolution, 4>,
    /// Spans above those of the last level.
    above: BTreeSet<(AppShard, RollupSpan)>,
}

/// The spans of one resolution to compute, in any order.
#[derive(Debug)]
pub struct RepairLevel {
    /// Their width.
    pub resolution: Resolution,
    /// The spans, of each write shard.
    pub spans: BTreeSet<(AppShard, RollupSpan)>,
}

impl<'c> Repair<'c> {
    /// The repair of `window` of `app`. No call.
    pub fn new(computer: &'c RollupComputer, app: &App, window: TimeSpan) -> Self {
        let shards = (0..app.shards).map(|shard| AppShard { app: app.id.clone(), shard }).collect();
        Self { computer, shards, window, left: Resolution::ALL.into_iter(), above: BTreeSet::new() }
    }

    /// The spans to compute next, once those of the last level are computed; `None` after the days.
    ///
    /// # Errors
    /// A [`Fault`] when a table cannot be read.
    pub async fn next_level(&mut self) -> Result<Option<RepairLevel>, Fault> {
        let Some(resolution) = self.left.next() else { return Ok(None) };
        let mut spans = std::mem::take(&mut self.above);
        for shard in &self.shards {
            let found = self.computer.repairable(shard, resolution, self.window).await?;
            spans.extend(found.into_iter().map(|span| (shard.clone(), span)));
        }
        let above = spans.iter().filter_map(|(shard, span)| Some((shard.clone(), span.coarser()?)));
        self.above = above.collect();
        Ok(Some(RepairLevel { resolution, spans }))
    }
}

impl RollupComputer {
    /// The spans of `resolution` that overlap `window` and are stored, or are minutes with stored reports. One
    /// consistent query per megabyte; for minutes also one per hour whose reports may be stored.
    async fn repairable(
        &self,
        shard: &AppShard,
        resolution: Resolution,
        window: TimeSpan,
    ) -> Result<BTreeSet<RollupSpan>, Fault> {
        let now = self.now();
        let first = window.from.aligned_to(resolution.ms());
        let stored = self.rollups().between(shard, resolution, TimeSpan::new(first, window.to), now).await?;
        let mut spans: BTreeSet<RollupSpan> = stored.into_iter().map(|stored| stored.span).collect();
        if resolution == Resolution::Minute {
            let retention_ms = self.rollups().retention().raw_ms + RAW_GRACE_MS;
            let earliest = first.max(now.plus_ms(-retention_ms));
            let latest = window.to.min(now.plus_ms(MAX_AHEAD_MS + 1));
            spans.extend(self.reports.minutes(shard, TimeSpan::new(earliest, latest)).await?);
        }
        Ok(spans)
    }

    /// Computes one span after opening the spans above it, which may be lost.
    ///
    /// # Errors
    /// Those of [`RollupComputer::compute`].
    pub async fn repair(&self, shard: &AppShard, span: RollupSpan) -> Result<Computed, Fault> {
        if let Some(above) = span.coarser() {
            self.open(shard, above).await?;
        }
        self.compute(shard, span).await
    }
}
