//! One span anew from what is below it.
//!
//! Owns the order that makes every accident harmless: the version is read first, then what the rollup is computed
//! from, and it is written over that version only. Whoever was outrun looks again, whoever comes twice changes
//! nothing. A span that an application left unfinished is finished when the next one begins. Ruled by design.md §6.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use nsl_domain::app::Sent;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, DecodeError, MinuteBuilder, Retention, Rollup, RollupSpan};
use nsl_domain::time::TimestampMs;

use crate::fault::{Fault, Kind};
use crate::reports::Reports;
use crate::rollups::{Put, Rollups, StoredRollup};

/// How often a span is looked at again, because another writer was faster or a part of it had to be computed first.
const MAX_ROUNDS: usize = 12;

/// Tells the time whenever it is asked: a span is over or not at the moment when its parts have been written.
pub type Clock = Arc<dyn Fn() -> TimestampMs + Send + Sync>;

/// Computes spans.
pub struct RollupComputer {
    pub(crate) reports: Reports,
    rollups: Rollups,
    clock: Clock,
    /// What each minute held when it was computed last.
    sent: Mutex<BTreeMap<(AppShard, RollupSpan), Sent>>,
}

/// What is below a span.
enum Below {
    /// All of it.
    Whole(Rollup),
    /// What is left of it: a part is damaged, and what it was made of is past its age.
    Rest(Rollup),
    /// Some of it had to be computed anew first.
    Again,
}

/// What became of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Computed {
    /// It is stored anew.
    Written,
    /// It was stored as it is.
    Unchanged,
    /// There is nothing below it.
    Empty,
    /// What is below it is partly past its age, so that it stays as it is.
    TooOld,
}

impl std::fmt::Debug for RollupComputer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RollupComputer").field("rollups", &self.rollups).finish_non_exhaustive()
    }
}

impl RollupComputer {
    /// Computes what is in `rollups` from there and from `reports`, told the time by `clock`.
    pub fn new(reports: Reports, rollups: Rollups, clock: Clock) -> Self {
        Self { reports, rollups, clock, sent: Mutex::default() }
    }

    /// Where the rollups are.
    pub fn rollups(&self) -> &Rollups {
        &self.rollups
    }

    /// This moment.
    pub fn now(&self) -> TimestampMs {
        (self.clock)()
    }

    /// The same, keeping what it writes as long as `retention` says, and with no minute computed yet.
    pub fn with_retention(&self, retention: Retention) -> Self {
        Self {
            reports: self.reports.clone(),
            rollups: self.rollups.with_retention(retention),
            clock: Arc::clone(&self.clock),
            sent: Mutex::default(),
        }
    }

    /// What each minute held, of those that were computed.
    pub fn minute_totals(&self) -> BTreeMap<(AppShard, RollupSpan), Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Computes `span` anew and stores it, unless it is stored like that already.
    ///
    /// # Errors
    /// A [`Fault`] when a table cannot be read or written, other writers were faster too often, or the stored rollup,
    /// or one below it, was written by a newer program.
    pub fn compute<'c>(
        &'c self,
        shard: &'c AppShard,
        span: RollupSpan,
    ) -> BoxFuture<'c, Result<Computed, Fault>> {
        // Boxed, because a span may have to compute those below it and the one before it.
        Box::pin(async move {
            for _ in 0..MAX_ROUNDS {
                if let Some(computed) = self.round(shard, span).await? {
                    return Ok(computed);
                }
            }
            Err(Fault { kind: Kind::Conflict, attempt: "compute a rollup", source: None })
        })
    }

    /// One attempt; `None` when it has to be made again.
    async fn round(&self, shard: &AppShard, span: RollupSpan) -> Result<Option<Computed>, Fault> {
        let now = self.now();
        if !self.rollups.retention().can_compute(span, now) {
            tracing::warn!(app = %shard.app, start = %span.start(), "a span is too old to be computed");
            return Ok(Some(Computed::TooOld));
        }
        let before = self.rollups.find(shard, span).await?;
        let known = before.as_ref().map(|held| known(shard, held)).transpose()?.flatten();
        if before.as_ref().is_none_or(|held| held.through == span.start()) {
            self.finish_before(shard, span).await?;
        }
        let mut rollup = match self.fold_below(shard, span, now).await? {
            Below::Again => return Ok(None),
            // What was counted once does not shrink to what is left of it.
            Below::Rest(rest) if known.as_ref().is_some_and(|known| known.reports() > rest.reports()) => {
                return Ok(Some(Computed::TooOld));
            }
            Below::Whole(rollup) | Below::Rest(rollup) => rollup,
        };
        if before.is_none() && rollup.reports() == 0 {
            return Ok(Some(Computed::Empty));
        }
        let bytes = rollup.to_bytes().map_err(|error| Fault::corrupt_rollup("encode a rollup", error))?;
        let is_same = |held: &StoredRollup| held.through == rollup.through() && held.bytes == bytes;
        if known.is_some() && before.as_ref().is_some_and(is_same) {
            return Ok(Some(Computed::Unchanged));
        }
        let put = self.rollups.put(shard, &rollup, bytes, before.as_ref()).await?;
        Ok((put == Put::Written).then_some(Computed::Written))
    }

    /// Sees to it that `span` and those above it are stored, if only as empty ones that cover nothing yet. Done before
    /// anything below it is stored for the first time: what is not stored has nothing below it, and who reads may
    /// rely on that.
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
            // Whoever was faster has opened it.
            self.rollups.put(shard, &empty, bytes, None).await.map(drop)
        })
    }

    /// Before a span begins to fill, finishes the one before it, in which the application may have fallen silent:
    /// nothing else would ever tell that it is over.
    async fn finish_before(&self, shard: &AppShard, span: RollupSpan) -> Result<(), Fault> {
        if span.resolution() == Resolution::Minute {
            return Ok(());
        }
        let before = self.rollups.newest_before(shard, span).await?;
        let now = self.now();
        let is_overdue = |held: &StoredRollup| held.through < held.span.end() && held.span.is_settled(now);
        if let Some(unfinished) = before.filter(is_overdue) {
            self.compute(shard, unfinished.span).await?;
        }
        Ok(())
    }

    async fn fold_below(&self, shard: &AppShard, span: RollupSpan, now: TimestampMs) -> Result<Below, Fault> {
        match span.finer() {
            None => self.fold_reports(shard, span).await.map(Below::Whole),
            Some(finer) => self.fold_finer(shard, span, finer, now).await,
        }
    }

    async fn fold_reports(&self, shard: &AppShard, span: RollupSpan) -> Result<Rollup, Fault> {
        let mut fold = MinuteBuilder::new(span);
        let mut unreadable = 0_usize;
        let mut sent = Sent::default();
        let visit = |report: nsl_domain::report::Report| {
            sent.reports += 1;
            sent.bytes += report.document.as_str().len() as u64;
            let hash = report.document.hash();
            let added = fold.add(report.timestamp, &report.source, hash, report.document.as_str());
            unreadable += usize::from(added.is_err());
        };
        self.reports.for_each_in_minute(shard, span, visit).await?;
        if unreadable > 0 {
            tracing::error!(app = %shard.app, start = %span.start(), unreadable, "stored documents cannot be read");
        }
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).insert((shard.clone(), span), sent);
        Ok(fold.finish())
    }

    /// The rollup of `span` from the finer ones, of which those that are unfinished or damaged are computed first.
    async fn fold_finer(
        &self,
        shard: &AppShard,
        span: RollupSpan,
        finer: Resolution,
        now: TimestampMs,
    ) -> Result<Below, Fault> {
        let mut parts = Vec::new();
        let (mut again, mut is_rest) = (false, false);
        for held in self.rollups.between(shard, finer, span.time_span(), now).await? {
            let is_overdue = held.through < held.span.end() && held.span.is_settled(now);
            let part = known(shard, &held)?;
            if part.is_some() && !is_overdue {
                parts.extend(part);
            } else if self.compute(shard, held.span).await? != Computed::TooOld {
                again = true;
            } else {
                is_rest |= part.is_none();
                parts.extend(part.map(Rollup::into_complete));
            }
        }
        if is_rest {
            tracing::error!(app = %shard.app, start = %span.start(), "a part of a span is corrupt and cannot be computed anew");
        }
        if again {
            return Ok(Below::Again);
        }
        Ok(match Rollup::from_finer(span, &parts, now) {
            Ok(rest) if is_rest => Below::Rest(rest),
            Ok(whole) => Below::Whole(whole),
            Err(_) => Below::Again,
        })
    }
}

/// What `held` holds; nothing where it is damaged, which is told. What a newer program wrote is not overwritten: it may
/// know more than this one.
fn known(shard: &AppShard, held: &StoredRollup) -> Result<Option<Rollup>, Fault> {
    match held.rollup() {
        Ok(rollup) => Ok(Some(rollup)),
        Err(DecodeError::Corrupt(reason)) => {
            tracing::warn!(app = %shard.app, start = %held.span.start(), reason, "a rollup is corrupt");
            Ok(None)
        }
        Err(newer @ DecodeError::Newer(_)) => Err(Fault::corrupt_rollup("compute a rollup", newer)),
    }
}
