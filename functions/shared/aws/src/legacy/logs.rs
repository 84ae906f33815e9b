//! The Logs table: what apps log through the library. One item per frame of entries, by app and arrival.

use nsl_domain::frame::packing::array;
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::legacy::logs::MAX_SHOWN_ENTRIES;
use nsl_domain::report::sortable;
use nsl_domain::time::TimestampMs;
use serde_json::value::RawValue;

use crate::erase::Partition;
use crate::expiry;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::table::{self, Table};

/// The Logs table.
#[derive(Debug, Clone)]
pub struct Logs {
    pub(crate) table: Table,
}

/// Log entries of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntries {
    /// The entries, oldest first, each a JSON object.
    pub entries: Vec<String>,
    /// False where there may be older ones.
    pub is_complete: bool,
}

impl Logs {
    /// Stores the entries of one frame of `connection` that arrived at `now`. One write; idempotent.
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
            .table
            .put(app.to_string(), keys::log_frame(now, connection, &entries))
            .item(keys::ENTRIES, items::text(entries))
            .item(keys::EXPIRES_AT, expiry::of_log_entries(now));
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
            .table
            .query_where(app.as_str(), "pk = :pk AND sk >= :first", [(":first", sortable(from))])
            .scan_index_forward(false)
            // Each row has at least one entry.
            .limit(i32::try_from(MAX_SHOWN_ENTRIES).unwrap_or(i32::MAX));
        let page = table::read_page(query, "query log entries", |row| read_entries(row, now)).await?;
        let mut entries: Vec<String> =
            page.values.into_iter().flat_map(|frame| frame.into_iter().rev()).collect();
        let is_complete = page.is_last && entries.len() <= MAX_SHOWN_ENTRIES;
        entries.truncate(MAX_SHOWN_ENTRIES);
        entries.reverse();
        Ok(LogEntries { entries, is_complete })
    }

    /// The partition of every entry of `app`. No call.
    pub fn partition(&self, app: &AppId) -> Partition {
        Partition::new(&self.table, app.to_string())
    }
}

/// The entries of a row, oldest first; `None` where it is expired.
fn read_entries(row: &Item, now: TimestampMs) -> Result<Option<Vec<String>>, BadAttribute> {
    if expiry::is_expired(row, now)? {
        return Ok(None);
    }
    let entries: Result<Vec<&RawValue>, _> = serde_json::from_str(items::read_text(row, keys::ENTRIES)?);
    let entries = entries.map_err(|_| BadAttribute::Unreadable(keys::ENTRIES))?;
    Ok(Some(entries.into_iter().map(|entry| entry.get().to_owned()).collect()))
}
