//! What is computed later, so that one app delays no other: late minutes beyond an app's budget, and those that could not
//! be computed for some minutes. Later batches compute them, of whichever app.
//!
//! A rollup is recomputed from stored reports, so a minute may wait as long as these are stored.

use std::collections::BTreeSet;
use std::time::Duration;

use nsl_aws::cache::Cache;
use nsl_aws::compute::RollupComputer;
use nsl_aws::fault::Fault;
use nsl_aws::rollups::Deferred;
use nsl_aws::stream::StoredReport;
use nsl_domain::bounded::BoundedMap;
use nsl_domain::late::{LATE_MINUTES, late_minute};
use nsl_domain::rate::TokenBucket;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, RollupSpan};
use nsl_domain::time::{MINUTE_MS, TimestampMs};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::app_settings::AppSettingsLoader;
use crate::shard_rollup::{CONCURRENT_SPANS, ShardRollup};

/// Age from which a record that cannot be rolled up is deferred, in milliseconds. Until then the stream repeats it, and
/// everything after it.
const DEFER_AFTER_MS: i64 = 3 * MINUTE_MS;

/// Most deferred minutes that one batch computes.
const MAX_MINUTES: usize = 600;

/// Deferred minutes after which what is done is noted, so that little is lost if the time ends.
const MINUTES_AT_A_TIME: usize = 30;

/// Longest time that one batch spends on deferred minutes, because the next batch waits meanwhile.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The minutes that a write shard has in a batch.
#[derive(Debug, Default)]
pub(crate) struct Minutes {
    on_time: BTreeSet<RollupSpan>,
    late: BTreeSet<RollupSpan>,
}

/// The late minutes that each write shard may still have computed. Counted where all function instances of ingest meet:
/// a shard of the stream is handled by one instance at a time.
#[derive(Debug, Default)]
struct Budget {
    shards: Mutex<BoundedMap<AppShard, TokenBucket>>,
}

/// Defers minutes, and computes deferred ones.
#[derive(Debug, Default)]
pub(crate) struct Deferral {
    /// For minutes of the batch, and apart from it for deferred ones, so that neither waits for the other.
    of_batch: Budget,
    of_deferred: Budget,
    /// Whether this instance looked for deferred minutes within the last minute.
    looked: Cache<(), ()>,
}

impl Minutes {
    pub(crate) fn add(&mut self, stored: &StoredReport) {
        let late = stored.stored_at.and_then(|at| late_minute(stored.report.timestamp, at));
        match late {
            Some(minute) => self.late.insert(minute),
            None => self.on_time.insert(RollupSpan::containing(Resolution::Minute, stored.report.timestamp)),
        };
    }
}

impl Budget {
    /// Takes as many of `minutes` as `shard` may have computed, the newest, and leaves the others.
    fn take(
        &self,
        shard: &AppShard,
        minutes: &mut BTreeSet<RollupSpan>,
        most: usize,
        now: TimestampMs,
    ) -> BTreeSet<RollupSpan> {
        let mut shards = self.shards.lock();
        let bucket = shards.get_or_insert_mut(shard.clone(), || TokenBucket::full(LATE_MINUTES, now));
        let mut taken = BTreeSet::new();
        while taken.len() < most
            && bucket.wait_ms(1, now) == Some(0)
            && let Some(minute) = minutes.pop_last()
        {
            bucket.take(1, now);
            taken.insert(minute);
        }
        taken
    }
}

impl Deferral {
    /// The minutes of a batch to compute now, and the late ones to defer.
    pub(crate) fn split(
        &self,
        shard: &AppShard,
        minutes: Minutes,
        now: TimestampMs,
    ) -> (BTreeSet<RollupSpan>, BTreeSet<RollupSpan>) {
        let Minutes { on_time, mut late } = minutes;
        late.retain(|minute| !on_time.contains(minute));
        let taken = self.of_batch.take(shard, &mut late, usize::MAX, now);
        (&on_time | &taken, late)
    }

    /// Whether a record that cannot be rolled up is deferred at `now` instead of being repeated.
    pub(crate) fn is_due(stored: &StoredReport, now: TimestampMs) -> bool {
        stored.stored_at.is_some_and(|at| now.ms_since(at) >= DEFER_AFTER_MS)
    }

    /// Computes deferred minutes, of any app. Once a minute one query; then the calls of the minutes, and a write for each
    /// write shard that has some. Faults are only logged, because the minutes stay deferred.
    pub(crate) async fn compute_some(&self, apps: &AppSettingsLoader, computer: &RollupComputer) {
        let now = computer.now();
        if self.looked.get(&(), now).is_some() {
            return;
        }
        self.looked.insert((), (), now);
        match tokio::time::timeout(TIMEOUT, self.compute(apps, computer, now)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(computed)) => tracing::info!(computed, "deferred minutes rolled up"),
            Ok(Err(fault)) => tracing::error!(reason = fault.chain(), "reading deferred minutes failed"),
            Err(_) => tracing::error!("computing deferred minutes took too long"),
        }
    }

    async fn compute(
        &self,
        apps: &AppSettingsLoader,
        computer: &RollupComputer,
        now: TimestampMs,
    ) -> Result<usize, Fault> {
        let mut rows = computer.rollups().deferred().await?;
        // Another row is the first each minute, so that those which fail or have many minutes hold up no other.
        let turns = usize::try_from(now.ms() / MINUTE_MS).unwrap_or(0);
        let first = turns.checked_rem(rows.len()).unwrap_or(0);
        rows.rotate_left(first);
        let mut computed = 0;
        for row in &rows {
            if computed >= MAX_MINUTES {
                break;
            }
            let (app, left) = (&row.shard.app, MAX_MINUTES - computed);
            let result = self.compute_row(row, left, apps, computer, now).await;
            computed += result.unwrap_or_else(|fault| {
                tracing::error!(%app, reason = fault.chain(), "computing deferred minutes failed");
                0
            });
        }
        Ok(computed)
    }

    async fn compute_row(
        &self,
        row: &Deferred,
        most: usize,
        apps: &AppSettingsLoader,
        computer: &RollupComputer,
        now: TimestampMs,
    ) -> Result<usize, Fault> {
        let Some(settings) = apps.load(&row.shard.app, computer, now).await? else {
            // The app was deleted.
            return computer.rollups().finish_deferred(row, &row.minutes).await.map(|()| 0);
        };
        let permits = Semaphore::new(CONCURRENT_SPANS);
        let (mut left, mut to_compute, mut computed) = (row.clone(), row.minutes.clone(), 0);
        while computed < most {
            let at_a_time = MINUTES_AT_A_TIME.min(most - computed);
            let minutes = self.of_deferred.take(&row.shard, &mut to_compute, at_a_time, now);
            if minutes.is_empty() {
                break;
            }
            computed += minutes.len();
            let shard = row.shard.clone();
            let rollup = ShardRollup { computer: &settings.computer, shard, minutes: minutes.clone() };
            let failed = rollup.run(&permits).await.failed;
            let is_done = |minute: &&RollupSpan| !failed.iter().any(|span| span.contains(minute.start()));
            let done: BTreeSet<RollupSpan> = minutes.iter().filter(is_done).copied().collect();
            if !done.is_empty() {
                computer.rollups().finish_deferred(&left, &done).await?;
                left.minutes = &left.minutes - &done;
            }
        }
        Ok(computed)
    }
}
