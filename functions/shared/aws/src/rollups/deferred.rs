//! Minutes whose rollups are computed later: their app has too many late ones, or they could not be computed for a while.
//!
//! One row for each write shard, in one partition, so that any batch finds those of every app. A row has a set of minutes,
//! so deferring a minute twice changes nothing, and a row has at most the minutes of two days.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::ids::AppId;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, RAW_GRACE_MS, RollupSpan};
use nsl_domain::time::{MINUTE_MS, TimestampMs};

use super::Rollups;
use crate::expiry;
use crate::fault::{Fault, if_condition_held};
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::table;

/// The deferred minutes of one write shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferred {
    /// The write shard.
    pub shard: AppShard,
    /// The minutes.
    pub minutes: BTreeSet<RollupSpan>,
    version: i64,
}

impl Rollups {
    /// Defers `minutes` of `shard`; idempotent. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn defer(
        &self,
        shard: &AppShard,
        minutes: &BTreeSet<RollupSpan>,
        now: TimestampMs,
    ) -> Result<(), Fault> {
        let expires_at = now.plus_ms(self.retention.raw_ms + RAW_GRACE_MS);
        let update = self
            .table
            .update(keys::DEFERRED, keys::deferred(shard))
            .update_expression("SET expiresAt = :expiresAt ADD dirty :minutes, version :one")
            .expression_attribute_values(":expiresAt", expiry::at(expires_at))
            .expression_attribute_values(":minutes", set(minutes))
            .expression_attribute_values(":one", items::number(1));
        update.send().await.map(drop).map_err(|error| Fault::of("defer rollups", error))
    }

    /// The deferred minutes of every app, of as many write shards as one page of a megabyte holds. One consistent query.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn deferred(&self) -> Result<Vec<Deferred>, Fault> {
        let query = self.table.query(keys::DEFERRED);
        let read = |row: &Item| read_deferred(row).map(Some);
        Ok(table::read_page(query, "query deferred rollups", read).await?.values)
    }

    /// Removes the minutes that are `done`, unless more were deferred since `deferred` was read: then they are computed
    /// again. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn finish_deferred(
        &self,
        deferred: &Deferred,
        done: &BTreeSet<RollupSpan>,
    ) -> Result<(), Fault> {
        const ATTEMPT: &str = "finish deferred rollups";
        const IS_UNCHANGED: &str = "version = :version";
        let version = items::number(deferred.version);
        let (pk, sk) = (keys::DEFERRED, keys::deferred(&deferred.shard));
        if deferred.minutes.is_subset(done) {
            let delete = self.table.deletion(pk.to_owned(), sk);
            let delete =
                delete.condition_expression(IS_UNCHANGED).expression_attribute_values(":version", version);
            return if_condition_held(ATTEMPT, delete.send().await).map(drop);
        }
        let update = self
            .table
            .update(pk, sk)
            .condition_expression(IS_UNCHANGED)
            .update_expression("DELETE dirty :minutes")
            .expression_attribute_values(":minutes", set(done))
            .expression_attribute_values(":version", version);
        if_condition_held(ATTEMPT, update.send().await).map(drop)
    }
}

/// Minutes as a number set of minutes since 1970.
fn set(minutes: &BTreeSet<RollupSpan>) -> AttributeValue {
    AttributeValue::Ns(minutes.iter().map(|minute| (minute.start().ms() / MINUTE_MS).to_string()).collect())
}

fn read_deferred(row: &Item) -> Result<Deferred, BadAttribute> {
    let key = items::read_text(row, keys::SK)?;
    let (app, shard) = key.rsplit_once('#').ok_or(BadAttribute::Unreadable(keys::SK))?;
    let app = AppId::new(app).map_err(|_| BadAttribute::Unreadable(keys::SK))?;
    let shard = shard.parse().map_err(|_| BadAttribute::Unreadable(keys::SK))?;
    // DynamoDB has no empty set.
    let minutes = row.get(keys::DIRTY).map_or(Ok(&[][..]), |set| {
        set.as_ns().map(Vec::as_slice).map_err(|_| BadAttribute::WrongType(keys::DIRTY))
    })?;
    let minute = |text: &String| {
        let minutes: i64 = text.parse().map_err(|_| BadAttribute::Unreadable(keys::DIRTY))?;
        let start = TimestampMs::clamped(minutes.saturating_mul(MINUTE_MS));
        Ok(RollupSpan::containing(Resolution::Minute, start))
    };
    Ok(Deferred {
        shard: AppShard { app, shard },
        minutes: minutes.iter().map(minute).collect::<Result<_, _>>()?,
        version: items::read_number(row, keys::VERSION)?,
    })
}
