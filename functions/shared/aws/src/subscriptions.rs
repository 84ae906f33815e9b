//! Subscription rows: which connections are subscribed to an app.
//!
//! One row per connection, under its app, so that fan-out reads them with one query. The session row lists them too,
//! for `$disconnect`; a row that it misses is deleted on expiry, or when a post finds the connection gone.

use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use nsl_domain::conversation::MAX_SUBSCRIPTIONS;
use nsl_domain::dialect::Dialect;
use nsl_domain::frame::replay::REPLAY_EVERY_MS;
use nsl_domain::grant::StoredProof;
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::time::TimestampMs;

use crate::connection_counts::{ConnectionCounts, Counted};
use crate::expiry;
use crate::fault::{Fault, if_condition_held};
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::stored_proof;
use crate::table::{self, Table};

/// What adding a subscription to a session row attempts, and the condition that it has room.
const WATCH: &str = "note subscription";
const HAS_ROOM: &str = "attribute_exists(pk) AND attribute_not_exists(endedAt) AND (contains(watches, :app) OR attribute_not_exists(watches) OR size(watches) < :most)";

/// The subscription rows of the Connections table.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    pub(crate) table: Table,
}

/// A connection that is subscribed to an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// The connection that frames are posted to.
    pub connection: ConnectionId,
    /// Shortest time between two frames, in milliseconds.
    pub min_interval_ms: i64,
    /// How frames are rendered.
    pub dialect: Dialect,
    /// The credentials that it depends on.
    pub proof: StoredProof,
}

/// The outcome of subscribing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is stored.
    Done,
    /// The connection is gone, or has [`MAX_SUBSCRIPTIONS`].
    Rejected,
    /// It got a replay too recently; nothing is changed.
    TooSoon {
        /// Milliseconds after which it may have another.
        wait_ms: i64,
    },
}

impl Subscriptions {
    /// Subscribes `subscriber` to `app` by a frame that arrived at `now`, unless a later one did; idempotent. Two writes,
    /// the session row first, so that `$disconnect` finds every subscription, and a third to count a new one.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn add(&self, app: &AppId, subscriber: &Subscriber, now: TimestampMs) -> Result<Added, Fault> {
        let watch = self
            .update_watches(&subscriber.connection, app, "ADD watches :apps")
            .condition_expression(HAS_ROOM)
            .expression_attribute_values(":app", items::text(app.as_str()))
            .expression_attribute_values(":most", items::number(MAX_SUBSCRIPTIONS));
        if if_condition_held(WATCH, watch.send().await)?.is_none() {
            return Ok(Added::Rejected);
        }
        self.put(app, subscriber, now).await
    }

    /// Subscribes like [`Self::add`] and claims the replay of `app`, of which a connection gets one within
    /// [`REPLAY_EVERY_MS`], over all function instances. The same writes; only the first if it is too soon.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn add_with_replay(
        &self,
        app: &AppId,
        subscriber: &Subscriber,
        now: TimestampMs,
    ) -> Result<Added, Fault> {
        let replayed_at = keys::replayed_at(app);
        let is_due = "(attribute_not_exists(#replayedAt) OR #replayedAt <= :before)";
        let watch = self
            .update_watches(&subscriber.connection, app, "ADD watches :apps SET #replayedAt = :now")
            .condition_expression(format!("{HAS_ROOM} AND {is_due}"))
            .expression_attribute_names("#replayedAt", &replayed_at)
            .expression_attribute_values(":app", items::text(app.as_str()))
            .expression_attribute_values(":most", items::number(MAX_SUBSCRIPTIONS))
            .expression_attribute_values(":now", items::number(now.ms()))
            .expression_attribute_values(":before", items::number(now.plus_ms(-REPLAY_EVERY_MS).ms()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match watch.send().await {
            Ok(_) => self.put(app, subscriber, now).await,
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(refused(failed.item(), &replayed_at, now))
                }
                _ => Err(Fault::of(WATCH, error)),
            },
        }
    }

    async fn put(&self, app: &AppId, subscriber: &Subscriber, now: TimestampMs) -> Result<Added, Fault> {
        let put = self
            .table
            .put(keys::app_connections(app), keys::subscription(&subscriber.connection))
            .item(keys::MIN_INTERVAL, items::number(subscriber.min_interval_ms))
            .item(keys::DIALECT, items::text(dialect_text(subscriber.dialect)))
            .item(keys::EXPIRES_AT, expiry::of_connection(now));
        let put = stored_proof::with_proof(table::unless_later(put, now), &subscriber.proof);
        let put = put.return_values(ReturnValue::AllOld);
        if let Some(output) = if_condition_held("put subscription", put.send().await)? {
            self.counts().add(app, Counted::Subscription, output.attributes, now).await;
        }
        Ok(Added::Done)
    }

    /// Ends a subscription by a frame that arrived at `now`, unless it was made by a later one; idempotent. Three writes:
    /// its row, the count if there was one, the session row. Only the first if it was made by a later frame.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn remove(
        &self,
        app: &AppId,
        connection: &ConnectionId,
        now: TimestampMs,
    ) -> Result<(), Fault> {
        let delete = self
            .table
            .deletion(keys::app_connections(app), keys::subscription(connection))
            .condition_expression(keys::IS_NOT_LATER)
            .expression_attribute_names("#at", keys::AT)
            .expression_attribute_values(":at", items::number(now.ms()));
        if !self.delete_if(app, delete, "end subscription").await? {
            return Ok(());
        }
        let unwatch = self.update_watches(connection, app, "DELETE watches :apps");
        if_condition_held("note unsubscription", unwatch.send().await).map(drop)
    }

    /// Deletes the row of `subscriber` if it still has the proof that was checked; returns whether it had. The connection
    /// may have subscribed by another credential since. Two writes, or one.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn expire(&self, app: &AppId, subscriber: &Subscriber) -> Result<bool, Fault> {
        let sk = keys::subscription(&subscriber.connection);
        let delete = self.table.deletion(keys::app_connections(app), sk);
        let delete = stored_proof::if_proof_is(delete, &subscriber.proof);
        self.delete_if(app, delete, "expire subscription").await
    }

    /// Sends a conditional deletion and counts a deleted row off; whether the condition held.
    async fn delete_if(
        &self,
        app: &AppId,
        delete: DeleteItemFluentBuilder,
        attempt: &'static str,
    ) -> Result<bool, Fault> {
        let delete = delete.return_values(ReturnValue::AllOld);
        let Some(output) = if_condition_held(attempt, delete.send().await)? else { return Ok(false) };
        self.counts().subtract(app, Counted::Subscription, output.attributes).await;
        Ok(true)
    }

    fn counts(&self) -> ConnectionCounts {
        ConnectionCounts::new(&self.table)
    }

    fn update_watches(
        &self,
        connection: &ConnectionId,
        app: &AppId,
        update: &str,
    ) -> UpdateItemFluentBuilder {
        self.table
            .update_existing(keys::connection(connection), keys::SESSION)
            .update_expression(update)
            .expression_attribute_values(":apps", AttributeValue::Ss(vec![app.to_string()]))
    }

    /// Deletes the row of a subscription whose connection API Gateway does not know; idempotent. Two writes, the second to
    /// count it off, and one if there is no row.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn delete_gone(&self, app: &AppId, connection: &ConnectionId) -> Result<(), Fault> {
        let delete = self.table.deletion(keys::app_connections(app), keys::subscription(connection));
        self.delete_if(app, delete, "delete gone subscription").await.map(drop)
    }

    /// Deletes the row of one subscription of a connection that ends; idempotent. The same writes.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn delete(&self, app: &AppId, connection: &ConnectionId) -> Result<(), Fault> {
        let (pk, sk) = (keys::app_connections(app), keys::subscription(connection));
        let old = self.table.delete_at_end(pk, sk, "delete subscription").await?;
        self.counts().subtract(app, Counted::Subscription, old).await;
        Ok(())
    }

    /// The subscribers of `app` at `now`. One consistent query per megabyte of rows. Expired rows are left out, as are
    /// rows that cannot be read, which are logged.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn of_app(&self, app: &AppId, now: TimestampMs) -> Result<Vec<Subscriber>, Fault> {
        let query = self.table.query_prefix(keys::app_connections(app), keys::SUBSCRIPTIONS);
        table::read_all(query, "query subscriptions", |row| read_subscriber(row, now)).await
    }
}

/// Why a connection with the session row `row` was not subscribed.
fn refused(row: Option<&Item>, replayed_at: &str, now: TimestampMs) -> Added {
    let at: Option<i64> = row.and_then(|row| row.get(replayed_at)?.as_n().ok()?.parse().ok());
    match at.map(|at| TimestampMs::clamped(at).plus_ms(REPLAY_EVERY_MS).ms_since(now)) {
        // At most the interval, whatever the clock of the instance that stored it.
        Some(wait_ms) if wait_ms > 0 => Added::TooSoon { wait_ms: wait_ms.min(REPLAY_EVERY_MS) },
        _ => Added::Rejected,
    }
}

/// The subscriber of a row; `None` if it is expired.
fn read_subscriber(row: &Item, now: TimestampMs) -> Result<Option<Subscriber>, BadAttribute> {
    if expiry::is_expired(row, now)? {
        return Ok(None);
    }
    let key = items::read_text(row, keys::SK)?;
    let connection = key.strip_prefix(keys::SUBSCRIPTIONS).ok_or(BadAttribute::Unreadable(keys::SK))?;
    let dialect = match items::read_text(row, keys::DIALECT)? {
        "legacy" => Dialect::Legacy,
        "modern" => Dialect::Modern,
        _ => return Err(BadAttribute::Unreadable(keys::DIALECT)),
    };
    Ok(Some(Subscriber {
        connection: ConnectionId::new(connection),
        min_interval_ms: items::read_number(row, keys::MIN_INTERVAL)?,
        dialect,
        proof: stored_proof::read(row)?,
    }))
}

fn dialect_text(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Modern => "modern",
        Dialect::Legacy => "legacy",
    }
}
