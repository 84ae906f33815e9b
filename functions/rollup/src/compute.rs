//! One span anew from what is below it.
//!
//! Owns the order that makes every accident harmless: the version is read first, then what the rollup is computed
//! from, and it is written over that version only. Whoever was outrun looks again, whoever comes twice changes
//! nothing. A span that an application left unfinished is finished when the next one begins. Ruled by design.md §6.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use nsl_aws::boot::Clients;
use nsl_aws::fault::{Fault, Kind};
use nsl_aws::reports::Reports;
use nsl_aws::rollups::{Held, Put, Rollups};
use nsl_domain::app::Sent;
use nsl_domain::rollup::{AppShard, MinuteFold, Retention, Rollup, RollupSpan, Unreadable};
use nsl_domain::time::TimestampMs;
use nsl_domain::window::Resolution;

use crate::settings::Settings;

/// How often a span is looked at again, because another writer was faster or a part of it had to be computed first.
const MAX_ROUNDS: usize = 12;

/// Tells the time whenever it is asked: a span is over or not at the moment when its parts have been written.
pub type Clock = Arc<dyn Fn() -> TimestampMs + Send + Sync>;

/// Computes spans.
pub struct Computer {
    reports: Reports,
    pub(crate) rollups: Rollups,
    pub(crate) clock: Clock,
    /// What each minute held when it was computed last.
    sent: Mutex<BTreeMap<(AppShard, RollupSpan), Sent>>,
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

impl std::fmt::Debug for Computer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Computer").field("rollups", &self.rollups).finish_non_exhaustive()
    }
}

impl Computer {
    pub(crate) fn new(clients: &Clients, settings: &Settings, clock: Clock) -> Self {
        Self {
            reports: clients.reports(&settings.reports_table),
            rollups: clients.rollups(&settings.rollups_table, settings.retention),
            clock,
            sent: Mutex::default(),
        }
    }

    /// The same, keeping what it writes as long as `retention` says, and with no minute computed yet.
    pub(crate) fn keeping(&self, retention: Retention) -> Self {
        Self {
            reports: self.reports.clone(),
            rollups: self.rollups.keeping(retention),
            clock: Arc::clone(&self.clock),
            sent: Mutex::default(),
        }
    }

    /// What each minute held, of those that were computed.
    pub(crate) fn sent(&self) -> BTreeMap<(AppShard, RollupSpan), Sent> {
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
        let now = (self.clock)();
        if !self.rollups.retention().can_compute(span, now) {
            tracing::warn!(app = %shard.app, start = %span.start(), "a span is too old to be computed");
            return Ok(Some(Computed::TooOld));
        }
        let before = self.rollups.find(shard, span).await?;
        if let Some(held) = &before {
            refuse_newer(held)?;
        }
        if before.as_ref().is_none_or(|held| held.through == span.start()) {
            self.finish_before(shard, span).await?;
        }
        let Some(mut rollup) = self.fold_below(shard, span, now).await? else {
            return Ok(None);
        };
        if before.is_none() && rollup.reports() == 0 {
            return Ok(Some(Computed::Empty));
        }
        let bytes = rollup.to_bytes();
        if before.as_ref().is_some_and(|held| held.through == rollup.through() && held.bytes == bytes) {
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
            let bytes = empty.to_bytes();
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
        let now = (self.clock)();
        let is_overdue = |held: &Held| held.through < held.span.end() && held.span.is_settled(now);
        if let Some(unfinished) = before.filter(is_overdue) {
            self.compute(shard, unfinished.span).await?;
        }
        Ok(())
    }

    async fn fold_below(
        &self,
        shard: &AppShard,
        span: RollupSpan,
        now: TimestampMs,
    ) -> Result<Option<Rollup>, Fault> {
        match span.finer() {
            None => self.fold_reports(shard, span).await.map(Some),
            Some(finer) => self.fold_finer(shard, span, finer, now).await,
        }
    }

    async fn fold_reports(&self, shard: &AppShard, span: RollupSpan) -> Result<Rollup, Fault> {
        let mut fold = MinuteFold::new(span);
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

    /// The rollup of `span` from the finer ones; `None` when some of these had to be computed anew first.
    async fn fold_finer(
        &self,
        shard: &AppShard,
        span: RollupSpan,
        finer: Resolution,
        now: TimestampMs,
    ) -> Result<Option<Rollup>, Fault> {
        let mut parts = Vec::new();
        let mut again = false;
        for held in self.rollups.between(shard, finer, (span.start(), span.end()), now).await? {
            let is_overdue = held.through < held.span.end() && held.span.is_settled(now);
            let part = match held.rollup() {
                Ok(part) => Some(part),
                Err(Unreadable::Corrupt(reason)) => {
                    tracing::error!(app = %shard.app, start = %held.span.start(), reason, "a rollup is corrupt");
                    None
                }
                Err(newer) => return Err(Fault::of_unreadable("read the finer rollups", newer)),
            };
            if part.is_none() || is_overdue {
                let is_final = self.compute(shard, held.span).await? == Computed::TooOld;
                again |= !is_final;
                parts.extend(part.map(Rollup::concluded));
            } else {
                parts.extend(part);
            }
        }
        Ok(if again { None } else { Rollup::of_finer(span, &parts, now).ok() })
    }
}

/// What a newer program wrote is not overwritten: it may know more than this one.
fn refuse_newer(held: &Held) -> Result<(), Fault> {
    match held.rollup() {
        Err(newer @ Unreadable::Newer(_)) => Err(Fault::of_unreadable("overwrite a rollup", newer)),
        Ok(_) | Err(Unreadable::Corrupt(_)) => Ok(()),
    }
}
