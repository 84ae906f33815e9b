//! The Rollups table: rollups, the last report of each source, and stream records that could not be read.
//!
//! A rollup is written only over the version that was read before its inputs, so of two concurrent writers the slower
//! one has to compute it again.

mod activity;
mod deferred;
mod last_reports;
mod quarantine;
mod stored;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::app::App;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{Activity, AppShard, Retention, Rollup, RollupSpan};
use nsl_domain::time::TimestampMs;
use nsl_domain::time_span::TimeSpan;

use crate::erase::Partition;
use crate::expiry;
use crate::fault::{Fault, if_condition_held};
use crate::items::{self, Item};
use crate::keys;
use crate::table::{self, Table};

pub use deferred::Deferred;
pub use last_reports::LastReportPut;
pub use quarantine::Quarantined;
pub use stored::StoredRollup;

/// The Rollups table.
#[derive(Debug, Clone)]
pub struct Rollups {
    pub(crate) table: Table,
    pub(crate) retention: Retention,
}

/// The outcome of writing a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is stored.
    Written,
    /// Another writer was faster; nothing was changed.
    Conflict,
}

impl Rollups {
    /// The same table with another retention.
    #[must_use]
    pub fn with_retention(&self, retention: Retention) -> Self {
        Self { retention, ..self.clone() }
    }

    /// How long its items are kept.
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// The rollup of `span`, expired or not. One consistent read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn find(&self, shard: &AppShard, span: RollupSpan) -> Result<Option<StoredRollup>, Fault> {
        let partition = keys::rollup_partition(shard, span.resolution());
        let item = self.table.get(partition, keys::rollup(span), "read rollup").await?;
        Ok(item.map(|item| StoredRollup::of_span(span, &item)))
    }

    /// The rollups of `resolution` whose spans start in `span`, oldest first, that are not expired at `now`: what a
    /// wider one is computed from. One consistent query, and one per further megabyte. A row whose key is not that of
    /// a rollup is logged and left out.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn between(
        &self,
        shard: &AppShard,
        resolution: Resolution,
        span: TimeSpan,
        now: TimestampMs,
    ) -> Result<Vec<StoredRollup>, Fault> {
        let rollups = self.read(shard, resolution, span, now, true, |_| true).await?;
        Ok(rollups.unwrap_or_default())
    }

    /// Like [`Self::between`] at half the price: an eventually consistent query may miss what was written within the
    /// last second, which the raw tail has anyway. `None`, and no further page is read, if `admit` refuses a rollup.
    ///
    /// # Errors
    /// Those of [`Self::between`].
    pub async fn between_eventual(
        &self,
        shard: &AppShard,
        resolution: Resolution,
        span: TimeSpan,
        now: TimestampMs,
        admit: impl Fn(&StoredRollup) -> bool,
    ) -> Result<Option<Vec<StoredRollup>>, Fault> {
        self.read(shard, resolution, span, now, false, admit).await
    }

    async fn read(
        &self,
        shard: &AppShard,
        resolution: Resolution,
        span: TimeSpan,
        now: TimestampMs,
        is_consistent: bool,
        admit: impl Fn(&StoredRollup) -> bool,
    ) -> Result<Option<Vec<StoredRollup>>, Fault> {
        let query = self.table.query_between(keys::rollup_partition(shard, resolution), span.from, span.to);
        let read = |row: &Item| {
            // A row without an expiry time is damaged, not expired.
            if expiry::is_expired(row, now).unwrap_or(false) {
                return Ok(None);
            }
            let stored = StoredRollup::read(row, resolution)?;
            // Also expired: what was written while the app had a longer retention.
            Ok((!self.retention.is_expired(stored.span, now)).then_some(stored))
        };
        let mut rollups = Vec::new();
        let visit = |stored| {
            let is_admitted = admit(&stored);
            rollups.push(stored);
            is_admitted
        };
        let query = query.consistent_read(is_consistent);
        let is_whole = table::for_each_while(query, "query rollups", read, visit).await?;
        Ok(is_whole.then_some(rollups))
    }

    /// The newest rollup of the same resolution that is older than that of `span`. One consistent query of one item.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the row's key is not that of a rollup.
    pub async fn newest_before(
        &self,
        shard: &AppShard,
        span: RollupSpan,
    ) -> Result<Option<StoredRollup>, Fault> {
        const ATTEMPT: &str = "query the rollup before";
        let resolution = span.resolution();
        let partition = keys::rollup_partition(shard, resolution);
        let query = self.table.query_where(partition, "pk = :pk AND sk < :sk", [(":sk", keys::rollup(span))]);
        let found = query.scan_index_forward(false).limit(1).send().await;
        let found = found.map_err(|error| Fault::of(ATTEMPT, error))?;
        let newest = found.items().first().map(|row| StoredRollup::read(row, resolution));
        newest.transpose().map_err(|bad| bad.into_fault(ATTEMPT))
    }

    /// Stores a rollup, given as its bytes, over `before`: what was read before its inputs. One write, conditional on
    /// the version.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn put(
        &self,
        shard: &AppShard,
        rollup: &Rollup,
        bytes: Vec<u8>,
        before: Option<&StoredRollup>,
    ) -> Result<Put, Fault> {
        self.put_with(None, shard, rollup, bytes, before).await
    }

    /// The same, with what the sources of a minute last reported.
    ///
    /// # Errors
    /// Those of [`Self::put`].
    pub async fn put_with(
        &self,
        activity: Option<&Activity>,
        shard: &AppShard,
        rollup: &Rollup,
        bytes: Vec<u8>,
        before: Option<&StoredRollup>,
    ) -> Result<Put, Fault> {
        let span = rollup.span();
        let version = before.map_or(0, |stored| stored.version).saturating_add(1);
        let put = self
            .table
            .put(keys::rollup_partition(shard, span.resolution()), keys::rollup(span))
            .item(keys::EXPIRES_AT, expiry::of_rollup(span, self.retention))
            .item(keys::VERSION, items::number(version))
            .item(keys::THROUGH, items::number(rollup.through().ms()))
            .item(keys::BUCKETS, AttributeValue::B(Blob::new(bytes)));
        // A failure is impossible, and would only make `GET /apps` read the rollup instead.
        let activity = activity.and_then(|activity| serde_json::to_string(activity).ok()).map(items::text);
        let put = activity.into_iter().fold(put, |put, text| put.item(keys::ACTIVITY, text));
        let put = match before.map(|stored| &stored.version_attribute) {
            None => put.condition_expression(keys::IS_NEW),
            Some(Some(version)) => put
                .condition_expression("version = :version")
                .expression_attribute_values(":version", version.clone()),
            Some(None) => put.condition_expression("attribute_not_exists(version)"),
        };
        let written = if_condition_held("put rollup", put.send().await)?;
        Ok(written.map_or(Put::Conflict, |_| Put::Written))
    }

    /// Every partition that may hold anything of `app`: its rollups, last reports and quarantined records. No call.
    pub fn partitions(&self, app: &App) -> Vec<Partition> {
        let shards = (0..app.shards).map(|shard| AppShard { app: app.id.clone(), shard });
        let of_shard = |shard: AppShard| {
            Resolution::ALL.map(|resolution| keys::rollup_partition(&shard, resolution)).into_iter()
        };
        let others = [keys::sources(&app.id), keys::quarantine(Some(&app.id))];
        let keys = shards.flat_map(of_shard).chain(others);
        keys.map(|key| Partition::new(&self.table, key)).collect()
    }
}
