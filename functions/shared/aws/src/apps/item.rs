//! An app, its keys and the pointer of a key as DynamoDB items.

use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::app::{App, KeyRecord, Status};
use nsl_domain::ids::{AppId, KeyHash, Scope};
use nsl_domain::time::TimestampMs;

use super::app_settings;
use crate::items::{self, BadAttribute, Item};
use crate::keys;

/// An app as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSummary {
    /// Its id.
    pub id: AppId,
    /// Its display name.
    pub name: String,
    /// Whether it is active.
    pub status: Status,
}

/// The attributes that a change may write.
pub(super) const CHANGEABLE: [&str; 8] = [
    keys::NAME,
    keys::STATUS,
    keys::KEYS,
    keys::LEGACY,
    keys::SHARDS,
    keys::LIMITS,
    keys::RETENTION,
    keys::TOKENS_NOT_BEFORE,
];

pub(super) fn of_app(app: &App) -> Item {
    let attributes = attributes(app).into_iter();
    let owner =
        [(keys::APP_ID, items::text(app.id.as_str())), (keys::OWNER, items::text(app.owner.as_str()))];
    let instants = [(keys::CREATED_AT, app.created_at), (keys::ID_FREE_SINCE, app.id_free_since)];
    let instants = instants.into_iter().filter_map(|(name, at)| Some((name, items::number(at?.ms()))));
    attributes.chain(owner).chain(instants).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What remains of the deleted `app`: since when its id is free.
pub(super) fn of_deleted(app: &AppId, id_free_since: TimestampMs) -> Item {
    Item::from([
        (keys::APP_ID.to_owned(), items::text(keys::deleted_app(app))),
        (keys::ID_FREE_SINCE.to_owned(), items::number(id_free_since.ms())),
    ])
}

/// The attributes [`CHANGEABLE`] of `app`; the last one only if it is set.
pub(super) fn attributes(app: &App) -> Vec<(&'static str, AttributeValue)> {
    let tokens =
        app.tokens_not_before.map(|earliest| (keys::TOKENS_NOT_BEFORE, items::number(earliest.ms())));
    let key_entries = app.keys.iter().map(|key| AttributeValue::M(key_entry(key))).collect();
    let mut attributes = vec![
        (keys::NAME, items::text(&app.name)),
        (keys::STATUS, items::text(app.status.as_str())),
        (keys::KEYS, AttributeValue::L(key_entries)),
        (keys::LEGACY, AttributeValue::Bool(app.legacy)),
        (keys::SHARDS, items::number(app.shards)),
        (keys::LIMITS, app_settings::limits_entry(&app.limits)),
        (keys::RETENTION, app_settings::retention_entry(&app.retention)),
    ];
    attributes.extend(tokens);
    attributes
}

fn key_entry(key: &KeyRecord) -> Item {
    Item::from([
        (keys::KEY_ID.to_owned(), items::text(key.id.as_str())),
        (keys::KEY_HASH.to_owned(), items::text(key.hash.to_hex())),
        (keys::KEY_SCOPE.to_owned(), items::text(key.scope.as_str())),
    ])
}

/// The item that leads from a key to the app that it opens.
pub(super) fn key_pointer(key: &KeyRecord, app: &AppId) -> Item {
    Item::from([
        (keys::APP_ID.to_owned(), items::text(keys::key_pointer(key.hash))),
        (keys::KEY_APP.to_owned(), items::text(app.as_str())),
    ])
}

pub(super) fn read_app(item: &Item) -> Result<App, BadAttribute> {
    let keys = items::read_list(item, keys::KEYS)?.iter().map(read_key).collect::<Result<_, _>>()?;
    Ok(App {
        id: items::read_app_id(item, keys::APP_ID)?,
        owner: items::read_id(item, keys::OWNER)?,
        name: items::read_text(item, keys::NAME)?.to_owned(),
        status: read_status(item)?,
        keys,
        legacy: items::read_bool(item, keys::LEGACY)?,
        shards: items::read_number(item, keys::SHARDS)?,
        tokens_not_before: items::optional(items::read_time(item, keys::TOKENS_NOT_BEFORE))?,
        created_at: items::optional(items::read_time(item, keys::CREATED_AT))?,
        id_free_since: items::optional(items::read_time(item, keys::ID_FREE_SINCE))?,
        limits: app_settings::read_limits(item)?,
        retention: app_settings::read_retention(item)?,
        limited_until: items::optional(items::read_time(item, keys::LIMITED_UNTIL))?,
    })
}

fn read_key(entry: &AttributeValue) -> Result<KeyRecord, BadAttribute> {
    let entry = entry.as_m().map_err(|_| BadAttribute::WrongType(keys::KEYS))?;
    let hash = KeyHash::from_hex(items::read_text(entry, keys::KEY_HASH)?);
    let scope = Scope::of_text(items::read_text(entry, keys::KEY_SCOPE)?);
    Ok(KeyRecord {
        id: items::read_id(entry, keys::KEY_ID)?,
        hash: hash.ok_or(BadAttribute::Unreadable(keys::KEY_HASH))?,
        scope: scope.map_err(|_| BadAttribute::Unreadable(keys::KEY_SCOPE))?,
    })
}

pub(super) fn read_summary(item: &Item) -> Result<AppSummary, BadAttribute> {
    Ok(AppSummary {
        id: items::read_app_id(item, keys::APP_ID)?,
        name: items::read_text(item, keys::NAME)?.to_owned(),
        status: read_status(item)?,
    })
}

fn read_status(item: &Item) -> Result<Status, BadAttribute> {
    match items::read_text(item, keys::STATUS)? {
        "active" => Ok(Status::Active),
        "inactive" => Ok(Status::Inactive),
        _ => Err(BadAttribute::Unreadable(keys::STATUS)),
    }
}
