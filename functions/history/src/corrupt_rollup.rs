//! A rollup whose stored item cannot be read, made anew for one answer from what is below it.
//!
//! Writes nothing: that is the rollup function's part, and a repair's. Each is told in the log. Ruled by design.md §6:
//! a rollup is a pure function of what is below it.

use futures_util::future::BoxFuture;
use nsl_aws::fault::Fault;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::{Rollups, StoredRollup};
use nsl_domain::rollup::{AppShard, MinuteBuilder, Rollup, RollupSpan};
use nsl_domain::time::TimestampMs;

/// Most spans of one write shard that one answer makes anew: it stays within its time even where a whole table is
/// damaged. Those beyond are left out of it.
const MAX_REBUILT: usize = 16;

/// What makes the rollups of one write shard anew.
#[derive(Debug)]
pub(crate) struct CorruptRollupRebuild<'s> {
    stores: (&'s Rollups, &'s Reports),
    shard: &'s AppShard,
    now: TimestampMs,
    left: usize,
}

impl<'s> CorruptRollupRebuild<'s> {
    /// One that has mended nothing yet.
    pub(crate) fn new(stores: (&'s Rollups, &'s Reports), shard: &'s AppShard, now: TimestampMs) -> Self {
        Self { stores, shard, now, left: MAX_REBUILT }
    }

    /// What `held` holds, or what is below it where it cannot be read; `None` where nothing is left of that.
    pub(crate) async fn rollup(&mut self, held: &StoredRollup) -> Result<Option<Rollup>, Fault> {
        let unreadable = match held.rollup() {
            Ok(rollup) => return Ok(Some(rollup)),
            Err(unreadable) => unreadable,
        };
        let mended = self.made_anew(held.span).await?;
        let (app, start, reason) = (&self.shard.app, held.span.start(), &unreadable);
        if mended.is_some() {
            tracing::warn!(%app, %start, %reason, "a rollup cannot be read: what is below it is shown");
        } else {
            tracing::error!(%app, %start, %reason, "a rollup cannot be read and is left out");
        }
        Ok(mended)
    }

    fn made_anew(&mut self, span: RollupSpan) -> BoxFuture<'_, Result<Option<Rollup>, Fault>> {
        // Boxed, because what is below may have to be made anew as well.
        Box::pin(async move {
            if self.left == 0 {
                return Ok(None);
            }
            self.left -= 1;
            let (rollups, reports) = self.stores;
            let Some(finer) = span.finer() else {
                return self.minute(reports, rollups, span).await;
            };
            let below = rollups.between_eventual(self.shard, finer, span.time_span(), self.now);
            let mut parts = Vec::new();
            for held in below.await? {
                parts.extend(self.part(&held).await?);
            }
            let rollup = Rollup::from_finer(span, &parts, self.now).ok();
            Ok(rollup.filter(|rollup| rollup.reports() > 0))
        })
    }

    /// A part of a span: whole where it is over, so that it counts.
    async fn part(&mut self, held: &StoredRollup) -> Result<Option<Rollup>, Fault> {
        let part = self.rollup(held).await?;
        let is_whole = |part: &Rollup| part.is_complete() || !part.span().is_settled(self.now);
        match part {
            Some(part) if !is_whole(&part) => {
                let anew = self.made_anew(held.span).await?;
                Ok(Some(anew.unwrap_or_else(|| part.into_complete())))
            }
            part => Ok(part),
        }
    }

    /// A minute from its raw reports, as long as they are all stored.
    async fn minute(
        &self,
        reports: &Reports,
        rollups: &Rollups,
        span: RollupSpan,
    ) -> Result<Option<Rollup>, Fault> {
        if !rollups.retention().can_compute(span, self.now) {
            return Ok(None);
        }
        let mut fold = MinuteBuilder::new(span);
        let visit = |report: nsl_domain::report::Report| {
            // One that cannot be read is in no rollup either.
            let hash = report.document.hash();
            let _ = fold.add(report.timestamp, &report.source, hash, report.document.as_str());
        };
        reports.for_each_in_minute(self.shard, span, visit).await?;
        Ok(Some(fold.finish()))
    }
}
