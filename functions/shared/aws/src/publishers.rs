//! Publishers: which connections may report for which application.
//!
//! One row for each, under its application, written once when the connection is authorised and never by a report:
//! what counting and closing them needs. A legacy one also says which process it is. The session row lists them too,
//! for `$disconnect`; a row that both lose sight of ends by age.

mod legacy;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::Select;
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::time::TimestampMs;

use crate::erase::Partition;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys::{self, expression};
use crate::rows;
use crate::sessions::SESSION_LIFE_MS;

pub use legacy::{ReportedSource, WrongClock};

/// Rows past their age that a count passes over at least: a page of them costs a few read units.
const PASSED_OVER: i64 = 1_000;

/// The publisher rows of the Connections table.
#[derive(Debug, Clone)]
pub struct Publishers {
    client: Client,
    table: String,
}

impl Publishers {
    /// The table `table`, reached through `client`.
    pub(crate) fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Notes that `connection` may report for each of `apps`; again is the same as once. One write for each. The
    /// session row must name them before, so that no row is kept that `$disconnect` knows nothing of.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn add(
        &self,
        apps: &[AppId],
        connection: &ConnectionId,
        now: TimestampMs,
    ) -> Result<(), Fault> {
        for app in apps {
            let put = self
                .client
                .put_item()
                .table_name(&self.table)
                .item(keys::PK, items::text(keys::app_connections(app)))
                .item(keys::SK, items::text(keys::publisher(connection)))
                .item(keys::EXPIRES_AT, items::number(now.plus_ms(SESSION_LIFE_MS).seconds()));
            put.send().await.map_err(|error| Fault::of("put publisher", error))?;
        }
        Ok(())
    }

    /// Deletes the row of one publisher, there or not. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn delete(&self, app: &AppId, connection: &ConnectionId) -> Result<(), Fault> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(keys::PK, items::text(keys::app_connections(app)))
            .key(keys::SK, items::text(keys::publisher(connection)));
        delete.send().await.map_err(|error| Fault::of("delete publisher", error))?;
        Ok(())
    }

    /// Whether `app` has fewer than `most` connections at `now`: publishers and subscriptions count one each. One
    /// consistent query that returns a number, and one for each further megabyte. Best effort: handshakes at one
    /// instant do not see each other.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn has_connection_room(&self, app: &AppId, most: u32, now: TimestampMs) -> Result<bool, Fault> {
        let rows = rows::of_partition(&self.client, &self.table, keys::app_connections(app));
        let query = count_of_living(rows, now);
        has_fewer(query, most, "count connections").await
    }

    /// Whether `connection` may watch `app` where that has at most `most` subscriptions at `now`. One consistent query
    /// that returns a number; where there are as many, one read, for who watches already takes no more room.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn has_subscription_room(
        &self,
        app: &AppId,
        connection: &ConnectionId,
        most: u32,
        now: TimestampMs,
    ) -> Result<bool, Fault> {
        let rows =
            rows::with_prefix(&self.client, &self.table, keys::app_connections(app), keys::SUBSCRIPTIONS);
        let query = count_of_living(rows, now);
        if has_fewer(query, most, "count subscriptions").await? {
            return Ok(true);
        }
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(keys::PK, items::text(keys::app_connections(app)))
            .key(keys::SK, items::text(keys::subscription(connection)))
            .consistent_read(true);
        let found = get.send().await.map_err(|error| Fault::of("read subscription", error))?;
        Ok(found.item.is_some())
    }

    /// Who may report for `app` at `now`: one consistent query for each megabyte of rows. Rows past their age are left
    /// out, and rows that cannot be read, which are logged.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn of_app(&self, app: &AppId, now: TimestampMs) -> Result<Vec<ConnectionId>, Fault> {
        let query =
            rows::with_prefix(&self.client, &self.table, keys::app_connections(app), keys::PUBLISHERS);
        rows::readable(query, "query publishers", |row| read_connection(row, now)).await
    }

    /// The partition of every row that names `app`. No call.
    pub fn partition(&self, app: &AppId) -> Partition {
        Partition::new(&self.client, &self.table, keys::app_connections(app))
    }

    /// Every connection that reports for `app` or watches it at `now`, once each: what is closed when the app is
    /// switched off. One consistent query for each megabyte of rows. Rows past their age are left out, and rows that
    /// cannot be read, which are logged.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn connected(&self, app: &AppId, now: TimestampMs) -> Result<BTreeSet<ConnectionId>, Fault> {
        let query = rows::of_partition(&self.client, &self.table, keys::app_connections(app));
        let connected = rows::readable(query, "query connections", |row| read_connection(row, now)).await?;
        Ok(connected.into_iter().collect())
    }
}

/// `rows` as a query that counts those which are not past their age at `now`.
fn count_of_living(rows: QueryFluentBuilder, now: TimestampMs) -> QueryFluentBuilder {
    rows.select(Select::Count)
        .filter_expression(expression::IS_ALIVE)
        .expression_attribute_names("#expiresAt", keys::EXPIRES_AT)
        .expression_attribute_values(":now", items::number(now.seconds()))
}

/// Whether `query`, which counts, finds fewer than `most` rows. As many rows past their age as may live, and at least
/// [`PASSED_OVER`], are passed over, for DynamoDB deletes late; behind more of them living ones are not seen, which
/// lets a connection in.
async fn has_fewer(query: QueryFluentBuilder, most: u32, attempt: &'static str) -> Result<bool, Fault> {
    let most = i64::from(most);
    let mut left = most + most.max(PASSED_OVER);
    let (mut living, mut from) = (0, None);
    while living < most && left > 0 {
        let limit = i32::try_from(left).unwrap_or(i32::MAX);
        let page = query.clone().limit(limit).set_exclusive_start_key(from).send().await;
        let page = page.map_err(|error| Fault::of(attempt, error))?;
        living += i64::from(page.count);
        left -= i64::from(page.scanned_count);
        from = page.last_evaluated_key.filter(|key| !key.is_empty());
        if from.is_none() {
            break;
        }
    }
    Ok(living < most)
}

/// The connection of a publisher's or a subscription's row, or `None` past its age.
fn read_connection(row: &Item, now: TimestampMs) -> Result<Option<ConnectionId>, BadAttribute> {
    if items::is_past_age(row, now)? {
        return Ok(None);
    }
    let key = items::read_text(row, keys::SK)?;
    let connection = key.strip_prefix(keys::PUBLISHERS).or_else(|| key.strip_prefix(keys::SUBSCRIPTIONS));
    let connection = connection.ok_or(BadAttribute::Unreadable(keys::SK))?;
    Ok(Some(ConnectionId::new(connection)))
}
