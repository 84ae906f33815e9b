//! Computes a rollup from its inputs: a minute from reports, a wider span from finer rollups.
//!
//! The stored version is read first, then the inputs, and the result is written over that version only. So a computation
//! retries on a version conflict and is idempotent. A span that an app left unfinished is finished when the next begins.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use nsl_domain::app::Sent;
use nsl_domain::report::Report;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{
    Activity, AppShard, DecodeError, IncompleteSpans, MinuteBuilder, Retention, Rollup, RollupSpan,
};
use nsl_domain::time::TimestampMs;
use parking_lot::Mutex;

use crate::fault::{Fault, Kind};
use crate::reports::Reports;
use crate::rollups::{Put, Rollups, StoredRollup};

/// Most attempts at one span: another writer may be faster, or a part of the span may have to be computed first.
const MAX_ATTEMPTS: usize = 12;

/// Returns the current time. Read again for every span, because whether it is over depends on when its parts were
/// written.
pub type Clock = Arc<dyn Fn() -> TimestampMs + Send + Sync>;

/// Computes spans.
pub struct RollupComputer {
    pub(crate) reports: Reports,
    rollups: Rollups,
    clock: Clock,
    /// The reports and bytes of each minute when it was last computed.
    minute_totals: Mutex<BTreeMap<(AppShard, RollupSpan), Sent>>,
}

/// A span computed from its inputs.
enum FromInputs {
    /// From all of them; of a minute, with what its sources last reported.
    Complete(Rollup, Option<Activity>),
    /// From some of them: a part is corrupt, and its own inputs are past retention.
    Partial(Rollup),
    /// A part had to be computed first; retry.
    Retry,
}

/// The outcome of computing a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Computed {
    /// It is written.
    Written,
    /// It was stored already, with the same contents.
    Unchanged,
    /// It has no inputs.
    Empty,
    /// Some of its inputs are past retention, so it stays as it is.
    TooOld,
}

impl std::fmt::Debug for RollupComputer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RollupComputer").field("rollups", &self.rollups).finish_non_exhaustive()
    }
}

impl RollupComputer {
    /// Computes rollups of `rollups` and `reports`.
    pub fn new(reports: Reports, rollups: Rollups, clock: Clock) -> Self {
        Self { reports, rollups, clock, minute_totals: Mutex::default() }
    }

    /// The rollups that it reads and writes.
    pub fn rollups(&self) -> &Rollups {
        &self.rollups
    }

    /// The current time.
    pub fn now(&self) -> TimestampMs {
        (self.clock)()
    }

    /// The same for an app with `retention`, with no minute computed yet.
    pub fn with_retention(&self, retention: Retention) -> Self {
        Self {
            reports: self.reports.clone(),
            rollups: self.rollups.with_retention(retention),
            clock: Arc::clone(&self.clock),
            minute_totals: Mutex::default(),
        }
    }

    /// The reports and bytes of each minute that was computed.
    pub fn minute_totals(&self) -> BTreeMap<(AppShard, RollupSpan), Sent> {
        self.minute_totals.lock().clone()
    }

    /// Computes `span` and stores it, unless it is stored with the same contents.
    ///
    /// # Errors
    /// A [`Fault`] when a table cannot be read or written, the write conflicted too often, or the stored
    /// rollup, or one below it, was written by a newer program.
    pub fn compute<'c>(
        &'c self,
        shard: &'c AppShard,
        span: RollupSpan,
    ) -> BoxFuture<'c, Result<Computed, Fault>> {
        // Boxed because it recurses: into the spans below and into the one before.
        Box::pin(async move {
            for _ in 0..MAX_ATTEMPTS {
                if let Some(computed) = self.attempt(shard, span).await? {
                    return Ok(computed);
                }
            }
            Err(Fault { kind: Kind::Conflict, attempt: "compute a rollup", source: None })
        })
    }

    /// One attempt; `None` to retry.
    async fn attempt(&self, shard: &AppShard, span: RollupSpan) -> Result<Option<Computed>, Fault> {
        let now = self.now();
        if !self.rollups.retention().can_compute(span, now) {
            tracing::warn!(app = %shard.app, start = %span.start(), "span is past retention; skipped");
            return Ok(Some(Computed::TooOld));
        }
        let before = self.rollups.find(shard, span).await?;
        let decoded = before.as_ref().map(|stored| decode(shard, stored)).transpose()?.flatten();
        if before.as_ref().is_none_or(|stored| stored.through == span.start()) {
            self.finish_before(shard, span).await?;
        }
        let (mut rollup, activity) = match self.rollup_from_inputs(shard, span, now).await? {
            FromInputs::Retry => return Ok(None),
            // A rollup never shrinks to what is left of its inputs.
            FromInputs::Partial(rest)
                if decoded.as_ref().is_some_and(|decoded| decoded.reports() > rest.reports()) =>
            {
                return Ok(Some(Computed::TooOld));
            }
            FromInputs::Complete(rollup, activity) => (rollup, activity),
            FromInputs::Partial(rollup) => (rollup, None),
        };
        if before.is_none() && rollup.reports() == 0 {
            return Ok(Some(Computed::Empty));
        }
        let bytes = rollup.to_bytes().map_err(|error| Fault::corrupt_rollup("encode a rollup", error))?;
        let is_same = |stored: &StoredRollup| stored.through == rollup.through() && stored.bytes == bytes;
        if decoded.is_some() && before.as_ref().is_some_and(is_same) {
            return Ok(Some(Computed::Unchanged));
        }
        let put = self.rollups.put_with(activity.as_ref(), shard, &rollup, bytes, before.as_ref()).await?;
        Ok((put == Put::Written).then_some(Computed::Written))
    }

    /// Stores `span` and the spans above it, empty if they are not stored. Called before anything below is stored for
    /// the first time, so that readers can rely on it: a span that is not stored has nothing below it.
    ///
    /// # Errors
    /// Those of [`Self::compute`].
    pub fn open<'c>(&'c self, shard: &'c AppShard, span: RollupSpan) -> BoxFuture<'c, Result<(), Fault>> {
        Box::pin(async move {
            if self.rollups.find(shard, span).await?.is_some() {
                return Ok(());
            }
            if let Some(above) = span.coarser() {
                self.open(shard, above).await?;
            }
            self.finish_before(shard, span).await?;
            let mut empty = Rollup::empty(span);
            let bytes = empty.to_bytes().map_err(|error| Fault::corrupt_rollup("encode a rollup", error))?;
            // On a conflict another writer has opened it.
            self.rollups.put(shard, &empty, bytes, None).await.map(drop)
        })
    }

    /// Before a span gets its first contents, finishes the one before it: the app may have stopped reporting in it, and
    /// nothing else would complete it.
    async fn finish_before(&self, shard: &AppShard, span: RollupSpan) -> Result<(), Fault> {
        if span.resolution() == Resolution::Minute {
            return Ok(());
        }
        let before = self.rollups.newest_before(shard, span).await?;
        let now = self.now();
        if let Some(unfinished) = before.filter(|stored| is_unfinished(stored, now)) {
            self.compute(shard, unfinished.span).await?;
        }
        Ok(())
    }

    async fn rollup_from_inputs(
        &self,
        shard: &AppShard,
        span: RollupSpan,
        now: TimestampMs,
    ) -> Result<FromInputs, Fault> {
        match span.finer() {
            None => self.rollup_from_reports(shard, span).await,
            Some(finer) => self.rollup_from_finer(shard, span, finer, now).await,
        }
    }

    async fn rollup_from_reports(&self, shard: &AppShard, span: RollupSpan) -> Result<FromInputs, Fault> {
        let mut builder = MinuteBuilder::new(span);
        let mut unreadable = 0_usize;
        let mut sent = Sent::default();
        let visit = |report: Report| {
            sent.reports += 1;
            sent.bytes += report.document.as_str().len() as u64;
            let hash = report.document.hash();
            let added = builder.add(report.timestamp, &report.source, hash, report.document.as_str());
            unreadable += usize::from(added.is_err());
        };
        self.reports.for_each_in_minute(shard, span, visit).await?;
        if unreadable > 0 {
            tracing::error!(app = %shard.app, start = %span.start(), unreadable, "stored documents unreadable");
        }
        self.minute_totals.lock().insert((shard.clone(), span), sent);
        let activity = builder.activity();
        Ok(FromInputs::Complete(builder.finish(), activity))
    }

    /// The rollup of `span` from finer ones. Those that are unfinished or corrupt are computed first.
    async fn rollup_from_finer(
        &self,
        shard: &AppShard,
        span: RollupSpan,
        finer: Resolution,
        now: TimestampMs,
    ) -> Result<FromInputs, Fault> {
        let mut parts = Vec::new();
        let (mut is_retry, mut is_partial) = (false, false);
        for stored in self.rollups.between(shard, finer, span.time_span(), now).await? {
            let part = decode(shard, &stored)?;
            if part.is_some() && !is_unfinished(&stored, now) {
                parts.extend(part);
            } else if self.compute(shard, stored.span).await? != Computed::TooOld {
                is_retry = true;
            } else {
                is_partial |= part.is_none();
                parts.extend(part.map(Rollup::into_complete));
            }
        }
        if is_partial {
            tracing::error!(app = %shard.app, start = %span.start(), "corrupt rollup cannot be recomputed");
        }
        if is_retry {
            return Ok(FromInputs::Retry);
        }
        Ok(match Rollup::from_finer(span, &parts, now) {
            Ok(rollup) if is_partial => FromInputs::Partial(rollup),
            Ok(rollup) => FromInputs::Complete(rollup, None),
            Err(IncompleteSpans(_)) => FromInputs::Retry,
        })
    }
}

/// Whether a stored rollup is over and does not cover its whole span.
fn is_unfinished(stored: &StoredRollup, now: TimestampMs) -> bool {
    stored.through < stored.span.end() && stored.span.is_settled(now)
}

/// Decodes a stored rollup; `None`, logged, if it is corrupt. A fault if a newer program wrote it, because such
/// rollups must not be overwritten.
fn decode(shard: &AppShard, stored: &StoredRollup) -> Result<Option<Rollup>, Fault> {
    match stored.rollup() {
        Ok(rollup) => Ok(Some(rollup)),
        Err(DecodeError::Corrupt(reason)) => {
            tracing::warn!(app = %shard.app, start = %stored.span.start(), reason, "corrupt rollup");
            Ok(None)
        }
        Err(newer @ DecodeError::Newer(_)) => Err(Fault::corrupt_rollup("compute a rollup", newer)),
    }
}
