//! Which source a legacy connection is, and how wrong its clock is: on its publisher row.
//!
//! Written once per connection, and once an hour while its clock is wrong, never by every report.

use aws_sdk_dynamodb::types::ReturnValue;
use nsl_domain::ids::{AppId, ConnectionId, Source};
use nsl_domain::time::TimestampMs;

use crate::expiry;
use crate::fault::{Fault, if_condition_held};
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::publishers::Publishers;
use crate::table;

/// A publisher whose reports are stamped with their arrival, because its clock is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WrongClock {
    /// The process.
    pub source: Source,
    /// How far its clock is ahead of ours, in milliseconds; negative if it is behind.
    pub ahead_ms: i64,
    /// When that was last seen, to within an hour.
    pub seen: TimestampMs,
}

/// What a report shows of the process that sent it.
#[derive(Debug, Clone, Copy)]
pub struct ReportedSource<'a> {
    /// The process.
    pub source: &'a Source,
    /// How far its clock is ahead, if it is wrong.
    pub ahead_ms: Option<i64>,
    /// When the report arrived.
    pub now: TimestampMs,
}

impl Publishers {
    /// The source that is stored on the row of `connection`; `None` without one. One consistent read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the row not decoded.
    pub async fn source_of(&self, app: &AppId, connection: &ConnectionId) -> Result<Option<Source>, Fault> {
        const ATTEMPT: &str = "read source";
        let row = self.table.get(keys::app_connections(app), keys::publisher(connection), ATTEMPT).await?;
        let source = row.map(|row| items::optional(items::read_id(&row, keys::SOURCE))).transpose();
        Ok(source.map_err(|bad| bad.into_fault(ATTEMPT))?.flatten())
    }

    /// Stores on the row of `connection` which source it is, unless one is stored, and how wrong its clock is; returns
    /// the stored source. If the row is gone, returns the reported source. One conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or the row not decoded.
    pub async fn record_source(
        &self,
        app: &AppId,
        connection: &ConnectionId,
        reported: ReportedSource<'_>,
    ) -> Result<Source, Fault> {
        const ATTEMPT: &str = "record source";
        const SET_SOURCE: &str = "SET #source = if_not_exists(#source, :source)";
        let update = self
            .table
            .update_existing(keys::app_connections(app), keys::publisher(connection))
            .expression_attribute_names("#source", keys::SOURCE)
            .expression_attribute_values(":source", items::text(reported.source.as_str()))
            .return_values(ReturnValue::AllNew);
        let update = match reported.ahead_ms {
            None => update.update_expression(SET_SOURCE),
            Some(ahead_ms) => update
                .update_expression([SET_SOURCE, ", clockAhead = :ahead, clockSeen = :seen"].concat())
                .expression_attribute_values(":ahead", items::number(ahead_ms))
                .expression_attribute_values(":seen", items::number(reported.now.ms())),
        };
        let Some(output) = if_condition_held(ATTEMPT, update.send().await)? else {
            return Ok(reported.source.clone());
        };
        // No attributes are a fault: the source is missing.
        let stored = items::read_id(&output.attributes.unwrap_or_default(), keys::SOURCE);
        stored.map_err(|bad| bad.into_fault(ATTEMPT))
    }

    /// The publishers of `app` that are connected at `now` and whose clocks were wrong. One consistent query per
    /// megabyte of rows.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn wrong_clocks(&self, app: &AppId, now: TimestampMs) -> Result<Vec<WrongClock>, Fault> {
        let query = self.table.query_prefix(keys::app_connections(app), keys::PUBLISHERS);
        table::read_all(query, "query clocks", |row| read_clock(row, now)).await
    }
}

/// The wrong clock of a publisher's row; `None` if the clock is right or the row is expired.
fn read_clock(row: &Item, now: TimestampMs) -> Result<Option<WrongClock>, BadAttribute> {
    let Some(ahead_ms) = items::optional(items::read_number(row, keys::CLOCK_AHEAD))? else {
        return Ok(None);
    };
    if expiry::is_expired(row, now)? {
        return Ok(None);
    }
    let seen = items::read_number(row, keys::CLOCK_SEEN)?;
    let (source, seen) = (items::read_id(row, keys::SOURCE)?, TimestampMs::clamped(seen));
    Ok(Some(WrongClock { source, ahead_ms, seen }))
}
