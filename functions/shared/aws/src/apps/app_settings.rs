//! An app's own limits and retention as attributes: maps with only the parts that the app sets.

use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::app::OwnLimits;
use nsl_domain::rollup::AppRetention;

use crate::items::{self, BadAttribute, Item};
use crate::keys;

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

/// Unreadable where the domain does not allow the retention, which would delete what is still needed.
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
