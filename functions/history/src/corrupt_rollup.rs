//! Rebuilds a corrupt rollup for one answer from the finer rollups or raw reports below it.
//! Writes nothing: the rollup function and `nsl repair` replace the stored item.

use futures_util::future::BoxFuture;
use nsl_aws::fault::Fault;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::{Rollups, StoredRollup};
use nsl_domain::report::Report;
use nsl_domain::rollup::{AppShard, MinuteBuilder, Rollup, RollupSpan};
use nsl_domain::time::TimestampMs;

use crate::read_budget::ReadBudget;

/// Most spans of one write shard that one answer rebuilds, so that it stays within its time even if every rollup of a
/// table is corrupt. Further ones are left out of the answer.
const MAX_REBUILT: usize = 16;

/// Decodes or rebuilds the rollups of one write shard.
#[derive(Debug)]
pub(crate) struct CorruptRollupRebuild<'s> {
    rollups: &'s Rollups,
    reports: &'s Reports,
    shard: &'s AppShard,
    budget: &'s ReadBudget,
    now: TimestampMs,
    left: usize,
}

impl<'s> CorruptRollupRebuild<'s> {
    pub(crate) fn new(
        rollups: &'s Rollups,
        reports: &'s Reports,
        shard: &'s AppShard,
        budget: &'s ReadBudget,
        now: TimestampMs,
    ) -> Self {
        Self { rollups, reports, shard, budget, now, left: MAX_REBUILT }
    }

    /// The decoded rollup, or the rebuilt one if it is corrupt; `None` if nothing is left to rebuild it from.
    pub(crate) async fn decode(&mut self, stored: &StoredRollup) -> Result<Option<Rollup>, Fault> {
        let error = match stored.rollup() {
            Ok(rollup) => return Ok(Some(rollup)),
            Err(error) => error,
        };
        let rebuilt = self.rebuild(stored.span).await?;
        let (app, start, reason) = (&self.shard.app, stored.span.start(), &error);
        if rebuilt.is_some() {
            tracing::warn!(%app, %start, %reason, "corrupt rollup rebuilt for one answer");
        } else {
            tracing::error!(%app, %start, %reason, "corrupt rollup left out of an answer");
        }
        Ok(rebuilt)
    }

    fn rebuild(&mut self, span: RollupSpan) -> BoxFuture<'_, Result<Option<Rollup>, Fault>> {
        // Boxed because it recurses: a finer rollup may be corrupt too.
        Box::pin(async move {
            if self.left == 0 {
                return Ok(None);
            }
            self.left -= 1;
            let Some(finer) = span.finer() else {
                return self.rebuild_minute(span).await;
            };
            let budget = self.budget;
            let admit = |stored: &StoredRollup| budget.take(stored);
            let below = self.rollups.between_eventual(self.shard, finer, span.time_span(), self.now, admit);
            let mut parts = Vec::new();
            for stored in below.await?.unwrap_or_default() {
                parts.extend(self.complete_part(&stored).await?);
            }
            let rollup = Rollup::from_finer(span, &parts, self.now).ok();
            Ok(rollup.filter(|rollup| rollup.reports() > 0))
        })
    }

    /// A part of a span, completed if it has ended: [`Rollup::from_finer`] requires that.
    async fn complete_part(&mut self, stored: &StoredRollup) -> Result<Option<Rollup>, Fault> {
        let part = self.decode(stored).await?;
        let is_usable = |part: &Rollup| part.is_complete() || !part.span().is_settled(self.now);
        match part {
            Some(part) if !is_usable(&part) => {
                let rebuilt = self.rebuild(stored.span).await?;
                Ok(Some(rebuilt.unwrap_or_else(|| part.into_complete())))
            }
            part => Ok(part),
        }
    }

    /// A minute from its raw reports, if all of them are still stored.
    async fn rebuild_minute(&self, span: RollupSpan) -> Result<Option<Rollup>, Fault> {
        if !self.rollups.retention().can_compute(span, self.now) {
            return Ok(None);
        }
        let mut minute = MinuteBuilder::new(span);
        let visit = |report: Report| {
            let hash = report.document.hash();
            // Invalid documents are left out, as in every rollup.
            let _ = minute.add(report.timestamp, &report.source, hash, report.document.as_str());
        };
        self.reports.for_each_in_minute(self.shard, span, visit).await?;
        Ok(Some(minute.finish()))
    }
}
