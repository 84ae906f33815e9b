//! How many connections an app has: one row for each app, which a handshake reads instead of every connection's row.
//!
//! Added to after a row of a connection is put, subtracted from after one is deleted. It drifts: a function may end
//! between the two writes, a call that is repeated after a lost response counts wrongly, and rows expire unseen. So it is
//! recounted when it is old or says that the app is full, by one function instance at a time.

use std::time::Duration;

use aws_sdk_dynamodb::types::{ReturnValue, Select};
use nsl_domain::ids::AppId;
use nsl_domain::time::{MINUTE_MS, SECOND_MS, TimestampMs};

use crate::erase::Partition;
use crate::expiry;
use crate::fault::{Fault, if_condition_held};
use crate::items::{self, Item};
use crate::keys;
use crate::table::Table;

/// Age of a count, in milliseconds, from which on the next handshake recounts.
pub const RECOUNT_AFTER_MS: i64 = 10 * MINUTE_MS;

/// Shortest time between two recounts of an app, in milliseconds. A place that was freed and not subtracted is seen after
/// this time at most, or twice this time if the function instance that recounts ends before it is done.
pub const RECOUNT_EVERY_MS: i64 = 10 * SECOND_MS;

/// How often a handshake that finds the app full waits for the recount of another instance, and for how long each time. It
/// takes some hundredths of a second.
const MAX_WAITS: u32 = 10;
const WAIT: Duration = Duration::from_millis(100);

/// The counts of the Connections table.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionCounts {
    table: Table,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Publisher,
    Subscription,
}

impl Counted {
    fn attribute(self) -> &'static str {
        match self {
            Self::Publisher => keys::PUBLISHER_COUNT,
            Self::Subscription => keys::SUBSCRIPTION_COUNT,
        }
    }
}

/// The counted rows of an app. Negative where something was subtracted twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    publishers: i64,
    subscriptions: i64,
}

impl Counts {
    /// Publishers and subscriptions.
    pub(crate) fn connections(self) -> i64 {
        self.publishers.max(0).saturating_add(self.subscriptions())
    }

    pub(crate) fn subscriptions(self) -> i64 {
        self.subscriptions.max(0)
    }

    fn is_wrong(self) -> bool {
        self.publishers < 0 || self.subscriptions < 0
    }
}

/// The row of an app. An attribute that is missing or cannot be read is as in an app that was never counted, whose counts
/// are what was added since.
#[derive(Debug, Default)]
struct CountRow {
    counts: Counts,
    /// When the last recount that finished began.
    counted_at: Option<TimestampMs>,
    /// When the last recount began.
    claimed_at: Option<TimestampMs>,
}

impl CountRow {
    fn read(item: &Item) -> Self {
        let number = |name| items::read_number::<i64>(item, name).ok();
        let instant = |name| number(name).map(TimestampMs::clamped);
        Self {
            counts: Counts {
                publishers: number(keys::PUBLISHER_COUNT).unwrap_or_default(),
                subscriptions: number(keys::SUBSCRIPTION_COUNT).unwrap_or_default(),
            },
            counted_at: instant(keys::COUNTED_AT),
            claimed_at: instant(keys::CLAIMED_AT),
        }
    }

    /// Whether the app must be recounted at `now`, and may be.
    fn is_due(&self, fits: bool, now: TimestampMs) -> bool {
        // Either side of `now`: the clock that stamped it may have been set back.
        let is_past = |at: Option<TimestampMs>, ms| at.is_none_or(|at| now.ms_since(at).abs() >= ms);
        let is_needed = !fits || self.counts.is_wrong() || is_past(self.counted_at, RECOUNT_AFTER_MS);
        is_needed && is_past(self.claimed_at, RECOUNT_EVERY_MS)
    }

    /// Whether an instance is recounting at `now`, as far as the row shows.
    fn is_recounted(&self, now: TimestampMs) -> bool {
        let is_recent = |at: &TimestampMs| now.ms_since(*at).abs() < RECOUNT_EVERY_MS;
        self.claimed_at != self.counted_at && self.claimed_at.as_ref().is_some_and(is_recent)
    }
}

impl ConnectionCounts {
    pub(crate) fn new(table: &Table) -> Self {
        Self { table: table.clone() }
    }

    /// The partition of the row of `app`. No call.
    pub(crate) fn partition(&self, app: &AppId) -> Partition {
        Partition::new(&self.table, keys::connection_count(app))
    }

    /// Whether one more connection of `app` fits at `now`. One consistent read; for a recount also two writes, two
    /// consistent queries that return a number, and one per further megabyte; while another instance recounts a full app,
    /// further reads.
    ///
    /// # Errors
    /// A [`Fault`] when the row cannot be read. A recount that fails is logged.
    pub(crate) async fn has_room(
        &self,
        app: &AppId,
        fits: impl Fn(Counts) -> bool,
        now: TimestampMs,
    ) -> Result<bool, Fault> {
        let mut row = self.find(app).await?;
        if row.is_due(fits(row.counts), now) {
            match self.recount(app, row.claimed_at, now).await {
                Ok(Some(counts)) => return Ok(fits(counts)),
                // Another instance was faster.
                Ok(None) => row = self.find(app).await?,
                Err(fault) => tracing::warn!(%app, reason = fault.chain(), "connections not recounted"),
            }
        }
        for _ in 0..MAX_WAITS {
            if fits(row.counts) || !row.is_recounted(now) {
                break;
            }
            tokio::time::sleep(WAIT).await;
            row = self.find(app).await?;
        }
        Ok(fits(row.counts))
    }

    async fn find(&self, app: &AppId) -> Result<CountRow, Fault> {
        let (pk, sk) = (keys::connection_count(app), keys::CONNECTION_COUNT);
        let item = self.table.get(pk, sk, "read connection count").await?;
        Ok(item.as_ref().map(CountRow::read).unwrap_or_default())
    }

    /// Counts the rows of `app`; `None` if another instance began after `last_claim`.
    ///
    /// What is added and subtracted meanwhile stays, because the difference to the count at the beginning is added. So only
    /// those count wrongly, until the next recount, that are between their two writes while the rows are counted: a new
    /// connection twice, one that ends not at all.
    async fn recount(
        &self,
        app: &AppId,
        last_claim: Option<TimestampMs>,
        now: TimestampMs,
    ) -> Result<Option<Counts>, Fault> {
        let Some(before) = self.claim(app, last_claim, now).await? else { return Ok(None) };
        let publishers = self.count(app, keys::PUBLISHERS, now);
        let subscriptions = self.count(app, keys::SUBSCRIPTIONS, now);
        let (publishers, subscriptions) = futures_util::try_join!(publishers, subscriptions)?;
        let found = Counts { publishers, subscriptions };
        Ok(Some(self.correct(app, before, found, now).await?.unwrap_or(found)))
    }

    /// Claims the recount that begins at `now`, and returns the counts before it. One conditional write.
    async fn claim(
        &self,
        app: &AppId,
        last_claim: Option<TimestampMs>,
        now: TimestampMs,
    ) -> Result<Option<Counts>, Fault> {
        let update = self.update(app).update_expression("SET claimedAt = :now, expiresAt = :expiry");
        let update = match last_claim {
            None => update.condition_expression("attribute_not_exists(claimedAt)"),
            Some(at) => update
                .condition_expression("claimedAt = :last")
                .expression_attribute_values(":last", items::number(at.ms())),
        };
        let update = update
            .expression_attribute_values(":now", items::number(now.ms()))
            .expression_attribute_values(":expiry", expiry::of_connection(now))
            .return_values(ReturnValue::AllNew);
        let claimed = if_condition_held("claim recount", update.send().await)?;
        Ok(claimed.map(|output| CountRow::read(&output.attributes.unwrap_or_default()).counts))
    }

    /// The number of rows of `app` with a sort key that begins with `prefix` and not expired at `now`.
    async fn count(&self, app: &AppId, prefix: &str, now: TimestampMs) -> Result<i64, Fault> {
        let query = self
            .table
            .query_prefix(keys::app_connections(app), prefix)
            .select(Select::Count)
            .filter_expression("expiresAt > :now")
            .expression_attribute_values(":now", items::number(now.seconds()));
        let mut pages = query.into_paginator().send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            count += i64::from(page.map_err(|error| Fault::of("count connections", error))?.count);
        }
        Ok(count)
    }

    /// Adds what `found` differs by from `before`, unless a later recount began. One conditional write.
    async fn correct(
        &self,
        app: &AppId,
        before: Counts,
        found: Counts,
        claimed_at: TimestampMs,
    ) -> Result<Option<Counts>, Fault> {
        let update = self
            .update(app)
            .update_expression(
                "ADD publishers :publishers, subscriptions :subscriptions SET countedAt = :claimed",
            )
            .condition_expression("claimedAt = :claimed")
            .expression_attribute_values(":publishers", items::number(found.publishers - before.publishers))
            .expression_attribute_values(
                ":subscriptions",
                items::number(found.subscriptions - before.subscriptions),
            )
            .expression_attribute_values(":claimed", items::number(claimed_at.ms()))
            .return_values(ReturnValue::AllNew);
        let corrected = if_condition_held("correct connection count", update.send().await)?;
        Ok(corrected.map(|output| CountRow::read(&output.attributes.unwrap_or_default()).counts))
    }

    /// Counts a row that was put for `app` at `now`, if `old` is empty: else it replaced one. One write. A failure is logged.
    pub(crate) async fn add(&self, app: &AppId, counted: Counted, old: Option<Item>, now: TimestampMs) {
        if old.is_some_and(|old| !old.is_empty()) {
            return;
        }
        let add = self
            .update(app)
            .update_expression("ADD #count :one SET expiresAt = :expiry")
            .expression_attribute_names("#count", counted.attribute())
            .expression_attribute_values(":one", items::number(1))
            .expression_attribute_values(":expiry", expiry::of_connection(now));
        if let Err(error) = add.send().await {
            log_failure(app, &Fault::of("add to connection count", error));
        }
    }

    /// Counts a row off that was deleted, if `old` is it: else there was none. One conditional write, so that no row is made
    /// for an app that was deleted. A failure is logged.
    pub(crate) async fn subtract(&self, app: &AppId, counted: Counted, old: Option<Item>) {
        if old.is_none_or(|old| old.is_empty()) {
            return;
        }
        let subtract = self
            .update(app)
            .condition_expression(keys::EXISTS)
            .update_expression("ADD #count :one")
            .expression_attribute_names("#count", counted.attribute())
            .expression_attribute_values(":one", items::number(-1));
        if let Err(fault) = if_condition_held("subtract from connection count", subtract.send().await) {
            log_failure(app, &fault);
        }
    }

    fn update(
        &self,
        app: &AppId,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.table.update(keys::connection_count(app), keys::CONNECTION_COUNT)
    }
}

fn log_failure(app: &AppId, fault: &Fault) {
    tracing::warn!(%app, reason = fault.chain(), "connection not counted until the next recount");
}
