//! What is kept of a legacy publisher on its row: the process that it is, and a clock that is wrong.
//!
//! Written once per connection, and while its clock is wrong once an hour, never by every report.

use aws_sdk_dynamodb::types::ReturnValue;
use nsl_domain::ids::{AppId, ConnectionId, Source};
use nsl_domain::time::TimestampMs;

use super::Publishers;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys::{self, expression};
use crate::rows;
use crate::sessions::is_condition_failed;

/// A publisher whose reports are stamped with their arrival, because its clock is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongClock {
    /// The process.
    pub source: Source,
    /// How far its clock is ahead of ours, in milliseconds, or behind where negative.
    pub ahead_ms: i64,
    /// When that was seen last, to within an hour.
    pub seen: TimestampMs,
}

/// What a report tells of the process that sent it.
#[derive(Debug, Clone, Copy)]
pub struct ReportedSource<'a> {
    /// The source that the process is.
    pub source: &'a Source,
    /// How far its clock is ahead, where it is wrong.
    pub ahead_ms: Option<i64>,
    /// When.
    pub now: TimestampMs,
}

impl Publishers {
    /// Keeps on the row of `connection` which source it is, unless one is kept, and how wrong its clock is; returns
    /// the source that is kept. One conditional write; a connection without a row, which has left, is what it tells.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or its answer not understood.
    pub async fn record_source(
        &self,
        app: &AppId,
        connection: &ConnectionId,
        told: ReportedSource<'_>,
    ) -> Result<Source, Fault> {
        const ATTEMPT: &str = "settle source";
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(keys::PK, items::text(keys::app_connections(app)))
            .key(keys::SK, items::text(keys::publisher(connection)))
            .condition_expression(expression::EXISTS)
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#source", keys::SOURCE)
            .expression_attribute_values(":source", items::text(told.source.as_str()))
            .return_values(ReturnValue::AllNew);
        let update = match told.ahead_ms {
            None => update.update_expression(expression::SETTLE_SOURCE),
            Some(ahead_ms) => update
                .update_expression(expression::SETTLE_SOURCE_AND_CLOCK)
                .expression_attribute_names("#ahead", keys::CLOCK_AHEAD)
                .expression_attribute_names("#seen", keys::CLOCK_SEEN)
                .expression_attribute_values(":ahead", items::number(ahead_ms))
                .expression_attribute_values(":seen", items::number(told.now.ms())),
        };
        match update.send().await {
            Ok(output) => {
                let kept = items::read_id(&output.attributes.unwrap_or_default(), keys::SOURCE);
                kept.map_err(|bad| bad.into_fault(ATTEMPT))
            }
            Err(error) if is_condition_failed(&error) => Ok(told.source.clone()),
            Err(error) => Err(Fault::of(ATTEMPT, error)),
        }
    }

    /// The publishers of `app` that are connected at `now` and whose clocks were wrong. One consistent query for each
    /// megabyte of rows.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read.
    pub async fn wrong_clocks(&self, app: &AppId, now: TimestampMs) -> Result<Vec<WrongClock>, Fault> {
        let query =
            rows::with_prefix(&self.client, &self.table, keys::app_connections(app), keys::PUBLISHERS);
        rows::readable(query, "query clocks", |row| read_clock(row, now)).await
    }
}

/// The wrong clock of a publisher's row, or `None` where it is right, or the row past its age.
fn read_clock(row: &Item, now: TimestampMs) -> Result<Option<WrongClock>, BadAttribute> {
    let Some(ahead_ms) = items::optional(items::read_number(row, keys::CLOCK_AHEAD))? else {
        return Ok(None);
    };
    if items::is_past_age(row, now)? {
        return Ok(None);
    }
    let seen = items::read_number(row, keys::CLOCK_SEEN)?;
    Ok(Some(WrongClock {
        source: items::read_id(row, keys::SOURCE)?,
        ahead_ms,
        seen: TimestampMs::clamped(seen),
    }))
}
