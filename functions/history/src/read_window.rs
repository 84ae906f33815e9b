//! Reads what answers a window: rollups in at most two rounds, from the cache or the table, then the raw tail.

use futures_util::future::try_join_all;
use nsl_aws::fault::Fault;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::{Rollups, StoredRollup};
use nsl_domain::app::App;
use nsl_domain::history::{HistoryFold, HistoryQuery, ReadPlan, ReadRequest, SeriesFilter};
use nsl_domain::rejection::Rejection;
use nsl_domain::report::Report;
use nsl_domain::rollup::{AppShard, Rollup};
use nsl_domain::time::TimestampMs;
use nsl_domain::time_span::TimeSpan;
use nsl_domain::window::Window;
use parking_lot::Mutex;

use crate::corrupt_rollup::CorruptRollupRebuild;
use crate::fingerprint::{Fingerprint, FingerprintBytes};
use crate::read_budget::ReadBudget;
use crate::rollup_cache::{CacheKey, RollupCache};

/// What was read for one window.
#[derive(Debug)]
pub(crate) struct WindowReads {
    shards: Vec<ShardReads>,
    /// The end of what an answer has completely, exclusive.
    pub(crate) complete_to: TimestampMs,
    /// Why an answer would be too large.
    rejection: Option<Rejection>,
}

#[derive(Debug)]
struct ShardReads {
    rollups: Vec<Rollup>,
    tail: Vec<Report>,
    /// Where something is missing from the answer.
    incomplete_from: Option<TimestampMs>,
    /// Differs if any rollup, by version, or raw report differs.
    fingerprint: FingerprintBytes,
}

impl WindowReads {
    /// Equal for equal rollups, by version, and equal raw reports.
    pub(crate) fn fingerprint(&self) -> FingerprintBytes {
        let mut fingerprint = Fingerprint::default();
        self.shards.iter().for_each(|shard| fingerprint.add(shard.fingerprint));
        fingerprint.finish()
    }

    /// Adds everything to `fold` and returns how many stored documents are invalid. Each rollup is dropped once added,
    /// so that memory has it once.
    ///
    /// # Errors
    /// The rejection of a query whose answer would be too large.
    pub(crate) fn fold_into(self, fold: &mut HistoryFold) -> Result<usize, Rejection> {
        if let Some(rejection) = self.rejection {
            return Err(rejection);
        }
        let mut invalid = 0;
        for shard in self.shards {
            shard.rollups.into_iter().for_each(|rollup| fold.add_rollup(&rollup));
            for report in &shard.tail {
                let hash = report.document.hash();
                let added = fold.add(report.timestamp, &report.source, hash, report.document.as_str());
                invalid += usize::from(added.is_err());
            }
        }
        Ok(invalid)
    }
}

/// The stores and the cache that a window is read from, and how much may be read for one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowReader<'s> {
    pub(crate) rollups: &'s Rollups,
    pub(crate) reports: &'s Reports,
    pub(crate) cache: &'s RollupCache,
    pub(crate) budget: &'s ReadBudget,
}

impl WindowReader<'_> {
    /// Reads what answers `query` of `app` at `now`, all write shards at once.
    pub(crate) async fn read(
        &self,
        app: &App,
        query: &HistoryQuery,
        now: TimestampMs,
    ) -> Result<WindowReads, Fault> {
        let window = query.span.window;
        let filter = Mutex::new(SeriesFilter::new(query));
        let rollups = &self.rollups.with_retention(app.retention.with_defaults(self.rollups.retention()));
        let reader = &WindowReader { rollups, ..*self };
        let reads = (0..app.shards).map(|shard| reader.read_shard(app, shard, window, &filter, now));
        let shards = try_join_all(reads).await?;
        let incomplete_from = shards.iter().filter_map(|shard| shard.incomplete_from).min();
        let complete_to = incomplete_from.unwrap_or(now).min(window.to());
        let rejection = self.budget.check().and_then(|()| filter.into_inner().check()).err();
        Ok(WindowReads { shards, complete_to, rejection })
    }

    async fn read_shard(
        &self,
        app: &App,
        shard: u16,
        window: Window,
        filter: &Mutex<SeriesFilter<'_>>,
        now: TimestampMs,
    ) -> Result<ShardReads, Fault> {
        let shard = AppShard { app: app.id.clone(), shard };
        let mut plan = ReadPlan::new(window, now);
        let mut rebuild = CorruptRollupRebuild::new(self.rollups, self.reports, &shard, self.budget, now);
        let mut fingerprint = Fingerprint::default();
        loop {
            let requests = plan.next_requests();
            if requests.is_empty() {
                break;
            }
            let reads = requests.iter().map(|request| self.stored(app, &shard, request, now));
            for stored in try_join_all(reads).await?.into_iter().flatten() {
                let mut rollup = rebuild.decode(&stored).await?;
                if let Some(rollup) = &mut rollup {
                    filter.lock().apply(rollup);
                }
                add_rollup(&mut fingerprint, &stored, rollup.as_ref());
                plan.add(rollup);
            }
        }
        let tail = match plan.tail() {
            Some(span) => self.reports.tail(&shard, span, now).await?,
            None => Some(Vec::new()),
        };
        let timestamps = tail.as_ref().map(|reports| reports.iter().map(|report| report.timestamp));
        let incomplete_from = plan.incomplete_from(timestamps);
        let tail = tail.unwrap_or_default();
        tail.iter().for_each(|report| fingerprint.add(report.id()));
        let fingerprint = fingerprint.finish();
        Ok(ShardReads { rollups: plan.into_selected(), tail, incomplete_from, fingerprint })
    }

    /// The stored rollups of one request: from the cache as far as it has them, and one query for the rest. None if they
    /// exceed the budget.
    async fn stored(
        &self,
        app: &App,
        shard: &AppShard,
        request: &ReadRequest,
        now: TimestampMs,
    ) -> Result<Vec<StoredRollup>, Fault> {
        let (resolution, to) = (request.resolution, request.starts.to);
        let (owner, created_at) = (app.owner.clone(), app.created_at);
        let key = CacheKey { owner, created_at, shard: shard.clone(), resolution };
        let cached = self.cache.get(&key, request.starts, now);
        let mut stored = cached.rollups;
        if !stored.iter().all(|rollup| self.budget.take(rollup)) {
            return Ok(Vec::new());
        }
        if cached.to < to {
            let rest = TimeSpan::new(cached.to, to);
            let admit = |rollup: &StoredRollup| self.budget.take(rollup);
            let read = self.rollups.between_eventual(shard, resolution, rest, now, admit).await?;
            let Some(read) = read else { return Ok(Vec::new()) };
            self.cache.insert(key, rest, &read, now);
            stored.extend(read);
        }
        Ok(stored)
    }
}

/// Adds what identifies the content of a rollup: its span and version, and how many reports it has if it was rebuilt.
fn add_rollup(fingerprint: &mut Fingerprint, stored: &StoredRollup, rollup: Option<&Rollup>) {
    fingerprint.add_number(stored.span.resolution().ms());
    fingerprint.add_number(stored.span.start().ms());
    fingerprint.add(stored.version.to_be_bytes());
    fingerprint.add(rollup.map(|rollup| rollup.reports().to_be_bytes()).unwrap_or_default());
}
