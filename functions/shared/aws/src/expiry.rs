//! When stored items expire: every time to live of every table is computed here.
//!
//! DynamoDB deletes an item up to days after its `expiresAt`, so readers check it too.

use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::legacy::logs::LOG_RETENTION_MS;
use nsl_domain::report::Report;
use nsl_domain::rollup::{RAW_GRACE_MS, Retention, RollupSpan};
use nsl_domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, TimestampMs};

use crate::items::{self, BadAttribute, Item};
use crate::keys;

/// Rows of a connection whose `$disconnect` never comes: API Gateway ends a connection after two hours.
const CONNECTION_TTL_MS: i64 = 2 * HOUR_MS + 10 * MINUTE_MS;

/// Processes of the library without a connection: as long as the last report of a source is kept unless the app has a
/// retention of its own.
const PROCESS_TTL_MS: i64 = 8 * DAY_MS;

/// What is left of the session of a connection that ended. A frame arrived before the end, and API Gateway gives a function
/// 29 seconds for it.
const ENDED_SESSION_TTL_MS: i64 = MINUTE_MS;

/// Stream records that could not be read: two weeks to look into them.
const QUARANTINE_TTL_MS: i64 = 14 * DAY_MS;

/// Expiry of a row of the Connections table that is written at `now`.
pub(crate) fn of_connection(now: TimestampMs) -> AttributeValue {
    seconds(now.plus_ms(CONNECTION_TTL_MS))
}

/// Expiry of a process of the library whose connection first reported at `since`.
pub(crate) fn of_process(since: TimestampMs) -> AttributeValue {
    seconds(since.plus_ms(PROCESS_TTL_MS))
}

/// Expiry of what is left of the session of a connection that ended at `now`.
pub(crate) fn of_ended_session(now: TimestampMs) -> AttributeValue {
    seconds(now.plus_ms(ENDED_SESSION_TTL_MS))
}

/// Expiry of the log entries that arrived at `now`.
pub(crate) fn of_log_entries(now: TimestampMs) -> AttributeValue {
    seconds(now.plus_ms(LOG_RETENTION_MS))
}

/// Expiry of a stream record that is quarantined at `now`.
pub(crate) fn of_quarantined(now: TimestampMs) -> AttributeValue {
    seconds(now.plus_ms(QUARANTINE_TTL_MS))
}

/// Expiry of a raw report that is shown for `retention_ms`: it is stored [`RAW_GRACE_MS`] longer for the rollup of its minute.
pub(crate) fn of_report(report: &Report, retention_ms: i64) -> AttributeValue {
    seconds(report.timestamp.plus_ms(retention_ms + RAW_GRACE_MS))
}

/// Expiry of the last report of a source, which is kept as long as the rollup of its minute.
pub(crate) fn of_last_report(report: &Report, retention: Retention) -> AttributeValue {
    seconds(report.timestamp.plus_ms(retention.minute_ms))
}

/// Expiry of a rollup.
pub(crate) fn of_rollup(span: RollupSpan, retention: Retention) -> AttributeValue {
    seconds(span.end().plus_ms(retention.ms_of(span.resolution())))
}

/// Expiry of an item at `instant`.
pub(crate) fn at(instant: TimestampMs) -> AttributeValue {
    seconds(instant)
}

/// Whether an item is expired at `now`, though DynamoDB has not deleted it yet.
pub(crate) fn is_expired(item: &Item, now: TimestampMs) -> Result<bool, BadAttribute> {
    Ok(items::read_number::<i64>(item, keys::EXPIRES_AT)? <= now.seconds())
}

/// Whether a report is no longer shown at `now`, though it is still there for its rollup.
pub(crate) fn is_report_expired(item: &Item, now: TimestampMs) -> Result<bool, BadAttribute> {
    is_expired(item, now.plus_ms(RAW_GRACE_MS))
}

/// The time at which an item expires.
pub(crate) fn read(item: &Item) -> Result<TimestampMs, BadAttribute> {
    let seconds: i64 = items::read_number(item, keys::EXPIRES_AT)?;
    Ok(TimestampMs::clamped(seconds.saturating_mul(SECOND_MS)))
}

fn seconds(expires_at: TimestampMs) -> AttributeValue {
    items::number(expires_at.seconds())
}
