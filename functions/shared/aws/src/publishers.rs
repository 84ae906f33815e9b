//! Publisher rows: which connections may report for an app.
//!
//! Written once when a connection is authorised, for counting, closing and commanding connections. The session row lists them
//! too, for `$disconnect`; a row that it misses is deleted on expiry.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::ReturnValue;
use nsl_domain::grant::StoredProof;
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::time::{SECOND_MS, TimestampMs};

use crate::connection_counts::{ConnectionCounts, Counted, Counts};
use crate::erase::Partition;
use crate::expiry;
use crate::fault::{Fault, if_condition_held};
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::stored_proof;
use crate::table::{self, Table};

/// Age of a row, in milliseconds, before which its connection may still be in its handshake: API Gateway answers 410 for
/// it too, and gives a function 29 seconds.
const MAX_HANDSHAKE_MS: i64 = 30 * SECOND_MS;

/// A connection that may report for an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// The connection.
    pub connection: ConnectionId,
    /// The credentials that it depends on.
    pub proof: StoredProof,
}

/// The publisher rows of the Connections table.
#[derive(Debug, Clone)]
pub struct Publishers {
    pub(crate) table: Table,
}

impl Publishers {
    /// Stores that `connection` may report, by `proof`, for each of `apps`, unless a frame that arrived after `now` did;
    /// idempotent. Two writes per app, the second to count it, and one where it has the row. The session row must list
    /// them before, so that `$disconnect` finds every row.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn add(
        &self,
        apps: &[AppId],
        connection: &ConnectionId,
        proof: &StoredProof,
        now: TimestampMs,
    ) -> Result<(), Fault> {
        for app in apps {
            let put = self
                .table
                .put(keys::app_connections(app), keys::publisher(connection))
                .item(keys::EXPIRES_AT, expiry::of_connection(now));
            let put = stored_proof::with_proof(table::unless_later(put, now), proof);
            let put = put.return_values(ReturnValue::AllOld);
            if let Some(output) = if_condition_held("put publisher", put.send().await)? {
                self.counts().add(app, Counted::Publisher, output.attributes, now).await;
            }
        }
        Ok(())
    }

    /// Deletes the row of one publisher; idempotent. Two writes, the second to count it off, and one if there is no row.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn delete(&self, app: &AppId, connection: &ConnectionId) -> Result<(), Fault> {
        let (pk, sk) = (keys::app_connections(app), keys::publisher(connection));
        let old = self.table.delete_at_end(pk, sk, "delete publisher").await?;
        self.counts().subtract(app, Counted::Publisher, old).await;
        Ok(())
    }

    /// Deletes the row of a publisher that API Gateway does not know at `now`, unless it is in its handshake; idempotent.
    /// Two writes, or one.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn delete_gone(
        &self,
        app: &AppId,
        connection: &ConnectionId,
        now: TimestampMs,
    ) -> Result<(), Fault> {
        let delete = self
            .table
            .deletion(keys::app_connections(app), keys::publisher(connection))
            .condition_expression("expiresAt <= :expiry")
            .expression_attribute_values(":expiry", expiry::of_connection(now.plus_ms(-MAX_HANDSHAKE_MS)))
            .return_values(ReturnValue::AllOld);
        if let Some(output) = if_condition_held("delete gone publisher", delete.send().await)? {
            self.counts().subtract(app, Counted::Publisher, output.attributes).await;
        }
        Ok(())
    }

    /// Whether `app` has fewer than `most` connections at `now`, publishers and subscriptions counting one each. The calls
    /// of [`ConnectionCounts::has_room`]. Best effort: handshakes at the same instant do not count each other.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn has_connection_room(&self, app: &AppId, most: u32, now: TimestampMs) -> Result<bool, Fault> {
        self.counts().has_room(app, |counts| counts.connections() < i64::from(most), now).await
    }

    /// Whether `connection` may subscribe to `app`, which may have `most` subscriptions. The calls of
    /// [`ConnectionCounts::has_room`]; at the limit also one read, because a connection that is subscribed already needs
    /// no room.
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
        let fits = |counts: Counts| counts.subscriptions() < i64::from(most);
        if self.counts().has_room(app, fits, now).await? {
            return Ok(true);
        }
        let (pk, sk) = (keys::app_connections(app), keys::subscription(connection));
        Ok(self.table.get(pk, sk, "read subscription").await?.is_some())
    }

    /// The connections that may report for `app` at `now`. One consistent query per megabyte of rows. Expired rows are
    /// left out, as are rows without a proof, which are from before it was stored, and rows that cannot be read, which
    /// are logged.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn of_app(&self, app: &AppId, now: TimestampMs) -> Result<Vec<Publisher>, Fault> {
        let query = self.table.query_prefix(keys::app_connections(app), keys::PUBLISHERS);
        table::read_all(query, "query publishers", |row| read_publisher(row, now)).await
    }

    /// The partitions of every publisher and subscription of `app`, of their count, and of the library's processes. No call.
    pub fn partitions(&self, app: &AppId) -> [Partition; 3] {
        let of = |key| Partition::new(&self.table, key);
        [of(keys::app_connections(app)), self.counts().partition(app), of(keys::processes(app))]
    }

    fn counts(&self) -> ConnectionCounts {
        ConnectionCounts::new(&self.table)
    }

    /// Every connection that reports for `app` or is subscribed to it at `now`, once each. One consistent query per megabyte of
    /// rows. Expired rows are left out, as are rows that cannot be read, which are logged.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn connected(&self, app: &AppId, now: TimestampMs) -> Result<BTreeSet<ConnectionId>, Fault> {
        let query = self.table.query(keys::app_connections(app));
        let connected = table::read_all(query, "query connections", |row| read_connection(row, now)).await?;
        Ok(connected.into_iter().collect())
    }
}

/// The publisher of a row; `None` if it is expired or has no proof.
fn read_publisher(row: &Item, now: TimestampMs) -> Result<Option<Publisher>, BadAttribute> {
    let Some(connection) = read_connection(row, now)? else { return Ok(None) };
    let proof = items::optional(stored_proof::read(row))?;
    Ok(proof.map(|proof| Publisher { connection, proof }))
}

/// The connection of a publisher's or a subscription's row; `None` if it is expired.
fn read_connection(row: &Item, now: TimestampMs) -> Result<Option<ConnectionId>, BadAttribute> {
    if expiry::is_expired(row, now)? {
        return Ok(None);
    }
    let key = items::read_text(row, keys::SK)?;
    let connection = key.strip_prefix(keys::PUBLISHERS).or_else(|| key.strip_prefix(keys::SUBSCRIPTIONS));
    let connection = connection.ok_or(BadAttribute::Unreadable(keys::SK))?;
    Ok(Some(ConnectionId::new(connection)))
}
