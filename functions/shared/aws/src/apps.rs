//! The Apps table: applications, and which of them a key opens.
//!
//! Owns reading, making and listing them; `change` owns what becomes of them later, `terms` what they set of their
//! own. A key is found by its hash through a pointer item, so that a credential that names no application needs no
//! scan.

mod app_settings;
mod change;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use nsl_domain::app::{App, KeyRecord, Status};
use nsl_domain::ids::{AppId, KeyHash, Scope, UserId};
use nsl_domain::time::TimestampMs;

use crate::cache::Cache;
use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys::{self, expression};

pub use app_settings::Limited;
pub use change::Saved;

/// The Apps table.
#[derive(Debug, Clone)]
pub struct Apps {
    client: Client,
    table: String,
}

/// What became of a new application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is registered.
    Done,
    /// One of that id, or one of its keys, was there before; nothing was changed.
    AlreadyExists,
}

/// An application as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSummary {
    /// Its id.
    pub id: AppId,
    /// For people.
    pub name: String,
    /// Whether it is served.
    pub status: Status,
}

impl Apps {
    /// The table `table`, reached through `client`.
    pub(crate) fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The application `app`. One consistent read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the item not understood.
    pub async fn find(&self, app: &AppId) -> Result<Option<App>, Fault> {
        const ATTEMPT: &str = "read app";
        let item = self.item(app.to_string(), ATTEMPT).await?;
        item.map(|item| read_app(&item).map_err(|bad| bad.into_fault(ATTEMPT))).transpose()
    }

    /// The application that the key with this hash opens. Two consistent reads, one for a key that opens nothing.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or an item not understood.
    pub async fn find_by_key(&self, hash: KeyHash) -> Result<Option<App>, Fault> {
        const ATTEMPT: &str = "read key pointer";
        let Some(pointer) = self.item(keys::key_pointer(hash), ATTEMPT).await? else { return Ok(None) };
        let app = items::read_id(&pointer, keys::OPENS).map_err(|bad| bad.into_fault(ATTEMPT))?;
        self.find(&app).await
    }

    async fn item(&self, key: String, attempt: &'static str) -> Result<Option<Item>, Fault> {
        let get = self.client.get_item().table_name(&self.table).key(keys::APP_ID, items::text(key));
        let output = get.consistent_read(true).send().await.map_err(|error| Fault::of(attempt, error))?;
        Ok(output.item)
    }

    /// Registers `app` with its keys in one transaction: all of it or nothing.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn create(&self, app: &App) -> Result<Created, Fault> {
        let mut transaction = self.client.transact_write_items();
        let pointers = app.keys.iter().map(|key| pointer_item(key, &app.id));
        for item in std::iter::once(app_item(app)).chain(pointers) {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression(expression::IS_NEW)
                .expression_attribute_names("#pk", keys::APP_ID)
                .build()
                .map_err(|error| Fault::of("create app", aws_sdk_error(error)))?;
            transaction = transaction.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match transaction.send().await {
            Ok(_) => Ok(Created::Done),
            Err(error) if is_already_there(error.as_service_error()) => Ok(Created::AlreadyExists),
            Err(error) => Err(Fault::of("create app", error)),
        }
    }

    /// The applications of `owner`, sorted by id. One query of the index `byOwner` for each megabyte.
    ///
    /// # Errors
    /// A [`Fault`] when the index cannot be read, or an item not understood.
    pub async fn of_owner(&self, owner: &UserId) -> Result<Vec<AppSummary>, Fault> {
        const ATTEMPT: &str = "list apps";
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_OWNER)
            .key_condition_expression(expression::OF_OWNER)
            .expression_attribute_names("#owner", keys::OWNER)
            .expression_attribute_values(":owner", items::text(owner.as_str()));
        let mut pages = query.into_paginator().items().send();
        let mut listed = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| Fault::of(ATTEMPT, error))?;
            listed.push(read_listed(&item).map_err(|bad| bad.into_fault(ATTEMPT))?);
        }
        Ok(listed)
    }
}

/// The Apps table together with what was read of it within the last minute.
#[derive(Debug)]
pub struct AppCache {
    apps: Apps,
    known: Cache<AppId, Arc<App>>,
}

impl AppCache {
    /// Knows nothing yet of `apps`.
    pub fn new(apps: Apps) -> Self {
        Self { apps, known: Cache::default() }
    }

    /// The application `app` as it was at most a minute ago. No call, or one read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the item not understood.
    pub async fn cached(&self, app: &AppId, now: TimestampMs) -> Result<Option<Arc<App>>, Fault> {
        match self.known.get(app, now) {
            Some(known) => Ok(Some(known)),
            None => self.fetch(app, now).await,
        }
    }

    /// The application `app` as it was at most a minute ago, where it was served then, or else as it is: one that is
    /// switched off may be gone a moment later. No call, or one read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the item not understood.
    pub async fn cached_if_active(&self, app: &AppId, now: TimestampMs) -> Result<Option<Arc<App>>, Fault> {
        match self.known.get(app, now).filter(|known| known.status == Status::Active) {
            Some(known) => Ok(Some(known)),
            None => self.fetch(app, now).await,
        }
    }

    /// The application `app`, if `judge` lets it pass as it was at most a minute ago, or else as it is: a refusal is
    /// never older than its question. No call, or one read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the item not understood; within it, the judge's own refusal.
    pub async fn authorise<R>(
        &self,
        app: &AppId,
        now: TimestampMs,
        judge: impl Fn(Option<&App>) -> Result<(), R>,
    ) -> Result<Result<Option<Arc<App>>, R>, Fault> {
        if let Some(known) = self.known.get(app, now)
            && judge(Some(&known)).is_ok()
        {
            return Ok(Ok(Some(known)));
        }
        let current = self.fetch(app, now).await?;
        Ok(judge(current.as_deref()).map(|()| current))
    }

    /// The application `app` as it is: what a credential is proved against. One read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the item not understood.
    pub async fn fetch(&self, app: &AppId, now: TimestampMs) -> Result<Option<Arc<App>>, Fault> {
        let found = self.apps.find(app).await?.map(Arc::new);
        if let Some(app) = &found {
            self.known.insert(app.id.clone(), Arc::clone(app), now);
        }
        Ok(found)
    }
}

/// A builder that lacks a part is a mistake of ours, told like any other failure to make a request.
fn aws_sdk_error(
    error: aws_sdk_dynamodb::error::BuildError,
) -> aws_sdk_dynamodb::error::SdkError<TransactWriteItemsError, ()> {
    aws_sdk_dynamodb::error::SdkError::construction_failure(error)
}

fn is_already_there(error: Option<&TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error else { return false };
    cancelled.cancellation_reasons().iter().any(|reason| reason.code() == Some("ConditionalCheckFailed"))
}

fn app_item(app: &App) -> Item {
    let mut item = Item::from([
        (keys::APP_ID.to_owned(), items::text(app.id.as_str())),
        (keys::OWNER.to_owned(), items::text(app.owner.as_str())),
        (keys::NAME.to_owned(), items::text(&app.name)),
        (keys::STATUS.to_owned(), items::text(status_text(app.status))),
        (keys::KEYS.to_owned(), key_entries(app)),
        (keys::LEGACY.to_owned(), AttributeValue::Bool(app.legacy)),
        (keys::SHARDS.to_owned(), items::number(app.shards)),
        (keys::LIMITS.to_owned(), app_settings::limits_entry(&app.limits)),
        (keys::RETENTION.to_owned(), app_settings::retention_entry(&app.retention)),
    ]);
    if let Some(earliest) = app.tokens_not_before {
        item.insert(keys::TOKENS_NOT_BEFORE.to_owned(), items::number(earliest.ms()));
    }
    item
}

fn key_entries(app: &App) -> AttributeValue {
    AttributeValue::L(app.keys.iter().map(|key| AttributeValue::M(key_entry(key))).collect())
}

fn key_entry(key: &KeyRecord) -> Item {
    Item::from([
        (keys::KEY_ID.to_owned(), items::text(key.id.as_str())),
        (keys::KEY_HASH.to_owned(), items::text(key.hash.to_hex())),
        (keys::KEY_SCOPE.to_owned(), items::text(scope_text(key.scope))),
    ])
}

fn pointer_item(key: &KeyRecord, app: &AppId) -> Item {
    Item::from([
        (keys::APP_ID.to_owned(), items::text(keys::key_pointer(key.hash))),
        (keys::OPENS.to_owned(), items::text(app.as_str())),
    ])
}

fn read_app(item: &Item) -> Result<App, BadAttribute> {
    let keys = items::read_list(item, keys::KEYS)?.iter().map(read_key).collect::<Result<_, _>>()?;
    Ok(App {
        id: items::read_id(item, keys::APP_ID)?,
        owner: items::read_id(item, keys::OWNER)?,
        name: items::read_text(item, keys::NAME)?.to_owned(),
        status: read_status(item)?,
        keys,
        legacy: items::read_flag(item, keys::LEGACY)?,
        shards: items::read_number(item, keys::SHARDS)?,
        tokens_not_before: read_instant(item, keys::TOKENS_NOT_BEFORE)?,
        limits: app_settings::read_limits(item)?,
        retention: app_settings::read_retention(item)?,
        limited_until: read_instant(item, keys::LIMITED_UNTIL)?,
    })
}

fn read_instant(item: &Item, name: &'static str) -> Result<Option<TimestampMs>, BadAttribute> {
    let ms = items::optional(items::read_number::<i64>(item, name))?;
    ms.map(|ms| TimestampMs::try_from(ms).map_err(|_| BadAttribute::Unreadable(name))).transpose()
}

fn read_key(entry: &AttributeValue) -> Result<KeyRecord, BadAttribute> {
    let entry = entry.as_m().map_err(|_| BadAttribute::WrongType(keys::KEYS))?;
    let hash = KeyHash::from_hex(items::read_text(entry, keys::KEY_HASH)?);
    let scope = match items::read_text(entry, keys::KEY_SCOPE)? {
        "publish" => Scope::Publish,
        "view" => Scope::View,
        "both" => Scope::Both,
        _ => return Err(BadAttribute::Unreadable(keys::KEY_SCOPE)),
    };
    Ok(KeyRecord {
        id: items::read_id(entry, keys::KEY_ID)?,
        hash: hash.ok_or(BadAttribute::Unreadable(keys::KEY_HASH))?,
        scope,
    })
}

fn read_listed(item: &Item) -> Result<AppSummary, BadAttribute> {
    Ok(AppSummary {
        id: items::read_id(item, keys::APP_ID)?,
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

fn status_text(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Inactive => "inactive",
    }
}

fn scope_text(scope: Scope) -> &'static str {
    match scope {
        Scope::Publish => "publish",
        Scope::View => "view",
        Scope::Both => "both",
    }
}
