//! What the sources of a write shard last reported, as the rows of its newest minutes have it.

use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{Activity, AppShard, RollupSpan};
use nsl_domain::time::TimestampMs;

use super::{Rollups, StoredRollup};
use crate::expiry;
use crate::fault::Fault;
use crate::items::Item;
use crate::keys;
use crate::table;

/// Minutes that are read: the running one, in which not every source has reported yet, and the two before it.
const NEWEST_MINUTES: i32 = 3;

impl Rollups {
    /// The activity of the newest stored minutes, none of them in the future, that are not expired at `now`; newest
    /// first. A row without one is read from its rollup. One eventually consistent query of three items.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn newest_activity(&self, shard: &AppShard, now: TimestampMs) -> Result<Vec<Activity>, Fault> {
        let running = RollupSpan::containing(Resolution::Minute, now);
        let partition = keys::rollup_partition(shard, Resolution::Minute);
        let query =
            self.table.query_where(partition, "pk = :pk AND sk <= :sk", [(":sk", keys::rollup(running))]);
        let query = query.scan_index_forward(false).limit(NEWEST_MINUTES).consistent_read(false);
        let read = |row: &Item| {
            let stored = StoredRollup::read(row, Resolution::Minute)?;
            let is_expired =
                expiry::is_expired(row, now).unwrap_or(false) || self.retention.is_expired(stored.span, now);
            let of_rollup = || stored.rollup().ok().as_ref().and_then(Activity::of_rollup);
            Ok(if is_expired { None } else { stored.activity.or_else(of_rollup) })
        };
        Ok(table::read_page(query, "query the newest minutes", read).await?.values)
    }
}
