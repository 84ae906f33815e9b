//! An application's own limits and retention as attributes: maps that hold only what it sets.
//!
//! Owns reading and writing them, and the one write that refuses an application's reports for a while. An application
//! that was registered without such attributes has none of its own.

use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::app::OwnLimits;
use nsl_domain::ids::AppId;
use nsl_domain::rollup::AppRetention;
use nsl_domain::time::{MINUTE_MS, TimestampMs};

use super::Apps;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys::{self, expression};
use crate::sessions::is_condition_failed;

/// What became of a limit that was to be put on an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// Its reports are refused until then.
    Done,
    /// They are refused about as long already, or the application is not there; nothing was changed.
    AlreadyLimited,
}

impl Apps {
    /// Refuses the reports of `app` until `until`, unless they are refused to within a minute of it already. One
    /// conditional write; again is the same as once.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn limit(&self, app: &AppId, until: TimestampMs) -> Result<Limited, Fault> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(keys::APP_ID, items::text(app.as_str()))
            .update_expression(expression::LIMIT)
            .condition_expression(expression::IS_LIMITED_LESS)
            .expression_attribute_names("#pk", keys::APP_ID)
            .expression_attribute_names("#limitedUntil", keys::LIMITED_UNTIL)
            .expression_attribute_values(":until", items::number(until.ms()))
            .expression_attribute_values(":less", items::number(until.plus_ms(1 - MINUTE_MS).ms()));
        match update.send().await {
            Ok(_) => Ok(Limited::Done),
            Err(error) if is_condition_failed(&error) => Ok(Limited::AlreadyLimited),
            Err(error) => Err(Fault::of("limit app", error)),
        }
    }
}

pub(super) fn limits_entry(limits: &OwnLimits) -> AttributeValue {
    entry([
        (keys::LIMIT_REPORTS, limits.reports.map(items::number)),
        (keys::LIMIT_BYTES, limits.bytes.map(items::number)),
        (keys::LIMIT_CONNECTIONS, limits.connections.map(items::number)),
        (keys::LIMIT_SUBSCRIPTIONS, limits.subscriptions.map(items::number)),
    ])
}

pub(super) fn retention_entry(retention: &AppRetention) -> AttributeValue {
    entry([
        (keys::KEEP_RAW, retention.raw.map(items::number)),
        (keys::KEEP_MINUTE, retention.minute.map(items::number)),
        (keys::KEEP_TEN_MINUTES, retention.ten_minutes.map(items::number)),
        (keys::KEEP_HOUR, retention.hour.map(items::number)),
        (keys::KEEP_DAY, retention.day.map(items::number)),
    ])
}

fn entry<const N: usize>(parts: [(&str, Option<AttributeValue>); N]) -> AttributeValue {
    let set = parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    AttributeValue::M(set.collect())
}

pub(super) fn read_limits(item: &Item) -> Result<OwnLimits, BadAttribute> {
    let Some(map) = items::optional(items::read_map(item, keys::LIMITS))? else {
        return Ok(OwnLimits::default());
    };
    let part = |name| items::optional(items::read_number(map, name));
    Ok(OwnLimits {
        reports: part(keys::LIMIT_REPORTS)?,
        bytes: part(keys::LIMIT_BYTES)?,
        connections: part(keys::LIMIT_CONNECTIONS)?,
        subscriptions: part(keys::LIMIT_SUBSCRIPTIONS)?,
    })
}

/// One that the domain would not allow is unreadable: it would lose what is still needed.
pub(super) fn read_retention(item: &Item) -> Result<AppRetention, BadAttribute> {
    let Some(map) = items::optional(items::read_map(item, keys::RETENTION))? else {
        return Ok(AppRetention::default());
    };
    let part = |name| items::optional(items::read_number(map, name));
    let retention = AppRetention {
        raw: part(keys::KEEP_RAW)?,
        minute: part(keys::KEEP_MINUTE)?,
        ten_minutes: part(keys::KEEP_TEN_MINUTES)?,
        hour: part(keys::KEEP_HOUR)?,
        day: part(keys::KEEP_DAY)?,
    };
    retention.check().map(|()| retention).map_err(|_| BadAttribute::Unreadable(keys::RETENTION))
}
