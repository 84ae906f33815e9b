//! The Logs table: what applications log through the library, for two days.
//!
//! Owns keeping and reading it. One item for each frame of entries, under its application and by its arrival, so that
//! the newest are read with one query. Refuses to look into an entry.

use aws_sdk_dynamodb::Client;
use nsl_domain::frame::packing::array;
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::legacy::logs::{LOG_RETENTION_MS, MAX_SHOWN_ENTRIES};
use nsl_domain::report::sortable;
use nsl_domain::time::TimestampMs;
use serde_json::value::RawValue;

use crate::erase::Partition;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys::{self, expression};

/// The Logs table.
#[derive(Debug, Clone)]
pub struct Logs {
    client: Client,
    table: String,
}

/// Log entries as they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntries {
    /// The entries, oldest first, each a JSON object.
    pub entries: Vec<String>,
    /// False where there may be older ones.
    pub is_complete: bool,
}

impl Logs {
    /// The table `table`, reached through `client`.
    pub(crate) fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Keeps the entries of one frame of `connection` that arrived at `now`; again is the same as once. One write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn put(
        &self,
        app: &AppId,
        connection: &ConnectionId,
        entries: &[String],
        now: TimestampMs,
    ) -> Result<(), Fault> {
        let entries = array(entries);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(keys::PK, items::text(app.as_str()))
            .item(keys::SK, items::text(keys::log_frame(now, connection, &entries)))
            .item(keys::ENTRIES, items::text(entries))
            .item(keys::EXPIRES_AT, items::number(now.plus_ms(LOG_RETENTION_MS).seconds()));
        put.send().await.map_err(|error| Fault::of("put log entries", error))?;
        Ok(())
    }

    /// The newest entries of `app` that arrived at `from` or later, at most [`MAX_SHOWN_ENTRIES`] and at most a
    /// megabyte of them. One consistent query. A row that cannot be read is logged and left out.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn newest(
        &self,
        app: &AppId,
        from: TimestampMs,
        now: TimestampMs,
    ) -> Result<LogEntries, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(false)
            // Each row has an entry at least.
            .limit(i32::try_from(MAX_SHOWN_ENTRIES).unwrap_or(i32::MAX))
            .key_condition_expression(expression::SINCE)
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#sk", keys::SK)
            .expression_attribute_values(":pk", items::text(app.as_str()))
            .expression_attribute_values(":first", items::text(sortable(from)));
        let page = query.send().await.map_err(|error| Fault::of("query log entries", error))?;
        let mut newest_first = Vec::new();
        for row in page.items() {
            match read_entries(row, now) {
                Ok(entries) => newest_first.extend(entries.into_iter().rev()),
                Err(bad) => tracing::error!(%app, reason = %bad, "a row of log entries cannot be read"),
            }
        }
        let is_complete = page.last_evaluated_key().is_none() && newest_first.len() <= MAX_SHOWN_ENTRIES;
        newest_first.truncate(MAX_SHOWN_ENTRIES);
        newest_first.reverse();
        Ok(LogEntries { entries: newest_first, is_complete })
    }

    /// The partition of every entry of `app`. No call.
    pub fn partition(&self, app: &AppId) -> Partition {
        Partition::new(&self.client, &self.table, app.to_string())
    }
}

/// The entries of a row, oldest first; none past its age.
fn read_entries(row: &Item, now: TimestampMs) -> Result<Vec<String>, BadAttribute> {
    if items::is_past_age(row, now)? {
        return Ok(Vec::new());
    }
    let entries: Result<Vec<&RawValue>, _> = serde_json::from_str(items::read_text(row, keys::ENTRIES)?);
    let entries = entries.map_err(|_| BadAttribute::Unreadable(keys::ENTRIES))?;
    Ok(entries.into_iter().map(|entry| entry.get().to_owned()).collect())
}
