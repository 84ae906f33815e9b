//! Reads what answers a window: rollups in at most two rounds, then the raw tail.
//!
//! Owns the reads, those from memory included, and what they add up to for caching. Decides nothing: `domain::history::ReadPlan` says what to ask
//! for and what counts. Ruled by design.md §6, "Reads".

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use futures_util::future::try_join_all;
use nsl_aws::fault::Fault;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::{Rollups, StoredRollup};
use nsl_domain::app::App;
use nsl_domain::history::{HistoryFold, HistoryQuery, ReadPlan, ReadRequest, SeriesFilter};
use nsl_domain::ids::UserId;
use nsl_domain::rejection::Rejection;
use nsl_domain::report::Report;
use nsl_domain::rollup::{AppShard, Rollup};
use nsl_domain::time::TimestampMs;
use nsl_domain::time_span::TimeSpan;
use nsl_domain::window::Window;

use crate::corrupt_rollup::CorruptRollupRebuild;
use crate::rollup_cache::{CacheKey, RollupCache};

/// What a window is answered from.
#[derive(Debug)]
pub(crate) struct Gathered {
    shards: Vec<ShardParts>,
    complete_to: TimestampMs,
    /// Why what was read is more than an answer may hold.
    refusal: Option<Rejection>,
}

#[derive(Debug)]
struct ShardParts {
    rollups: Vec<Rollup>,
    tail: Vec<Report>,
    /// Where the answer ends because something is missing from there on.
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

    /// Adds all of it to `fold` and tells how many stored documents could not be read. Each rollup is let go of as soon
    /// as it is added, so that the memory holds what was read once.
    ///
    /// # Errors
    /// The rejection of a query that asks for too much.
    pub(crate) fn fold_into(self, fold: &mut HistoryFold) -> Result<usize, Rejection> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let mut unreadable = 0;
        for shard in self.shards {
            shard.rollups.into_iter().for_each(|rollup| fold.add_rollup(&rollup));
            for report in &shard.tail {
                let hash = report.document.hash();
                let added = fold.add(report.timestamp, &report.source, hash, report.document.as_str());
                unreadable += usize::from(added.is_err());
            }
        }
        Ok(unreadable)
    }
}

/// Where what answers a window is read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources<'s> {
    pub(crate) rollups: &'s Rollups,
    pub(crate) reports: &'s Reports,
    pub(crate) closed: &'s RollupCache,
}

impl Sources<'_> {
    /// Reads what answers `query` of `app` at `now`, all write shards at once.
    pub(crate) async fn gather(
        &self,
        app: &App,
        query: &HistoryQuery,
        now: TimestampMs,
    ) -> Result<Gathered, Fault> {
        let window = query.span.window;
        let filter = Mutex::new(SeriesFilter::new(query));
        let rollups = &self.rollups.with_retention(app.retention.with_defaults(self.rollups.retention()));
        let kept = &Sources { rollups, ..*self };
        let read = (0..app.shards).map(|shard| kept.read_shard(app, shard, (window, &filter), now));
        let shards = try_join_all(read).await?;
        let cut_at = shards.iter().filter_map(|shard| shard.cut_at).min();
        let complete_to = cut_at.unwrap_or(now).min(window.to());
        let filter = filter.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Gathered { shards, complete_to, refusal: filter.check().err() })
    }

    async fn read_shard(
        &self,
        app: &App,
        shard: u16,
        (window, filter): (Window, &Mutex<SeriesFilter<'_>>),
        now: TimestampMs,
    ) -> Result<ShardParts, Fault> {
        let shard = AppShard { app: app.id.clone(), shard };
        let mut plan = ReadPlan::new(window, now);
        let mut rebuild = CorruptRollupRebuild::new((self.rollups, self.reports), &shard, now);
        let mut mark = DefaultHasher::new();
        loop {
            let wanted = plan.wanted();
            if wanted.is_empty() {
                break;
            }
            let asked = wanted.iter().map(|wanted| self.stored(&app.owner, &shard, wanted, now));
            for held in try_join_all(asked).await?.into_iter().flatten() {
                let mut rollup = rebuild.rollup(&held).await?;
                if let Some(rollup) = &mut rollup {
                    filter.lock().unwrap_or_else(PoisonError::into_inner).apply(rollup);
                }
                (held.span, held.version, rollup.as_ref().map(Rollup::reports)).hash(&mut mark);
                plan.take(rollup);
            }
        }
        let tail = match plan.tail() {
            Some(span) => self.reports.tail(&shard, span, now).await?,
            None => Some(Vec::new()),
        };
        let stamps = tail.as_ref().map(|reports| reports.iter().map(|report| report.timestamp));
        let cut_at = plan.ends_at(stamps);
        let tail = tail.unwrap_or_default();
        tail.iter().for_each(|report| report.id().hash(&mut mark));
        Ok(ShardParts { rollups: plan.into_counted(), tail, cut_at, mark: mark.finish() })
    }

    /// The stored rollups of one resolution: those that are closed from memory where they are there, and one query for
    /// the others.
    async fn stored(
        &self,
        owner: &UserId,
        shard: &AppShard,
        wanted: &ReadRequest,
        now: TimestampMs,
    ) -> Result<Vec<StoredRollup>, Fault> {
        let resolution = wanted.resolution;
        let whose = CacheKey { owner: owner.clone(), shard: shard.clone(), resolution };
        let (mut held, from) = self.closed.known(&whose, TimeSpan::new(wanted.from, wanted.to), now);
        if from < wanted.to {
            let rest = TimeSpan::new(from, wanted.to);
            let read = self.rollups.between_eventual(shard, resolution, rest, now).await?;
            self.closed.keep(&whose, rest, &read, now);
            held.extend(read);
        }
        Ok(held)
    }
}
