//! Reads of the Apps table, new apps, and the limit of an app that sends too much.
//!
//! A key is found by its hash through a pointer item, so that a credential that names no app needs no scan.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use nsl_domain::app::{App, KeyRecord};
use nsl_domain::ids::{AppId, KeyHash, UserId};
use nsl_domain::time::{MINUTE_MS, TimestampMs};

use super::item::{self, AppSummary};
use crate::fault::{Fault, if_condition_held, is_cancelled_by};
use crate::items::{self, Item};
use crate::keys;

/// The Apps table.
#[derive(Debug, Clone)]
pub struct Apps {
    pub(crate) client: Client,
    pub(crate) table: String,
}

/// The outcome of registering an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is registered.
    Done,
    /// An app of that id, or one of its keys, exists; nothing was changed.
    AlreadyExists,
}

/// The outcome of limiting an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// Its reports are rejected until then.
    Done,
    /// They are rejected about as long already, or the app does not exist; nothing was changed.
    AlreadyLimited,
}

impl Apps {
    /// The app `app`. One consistent read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the item not decoded.
    pub async fn find(&self, app: &AppId) -> Result<Option<App>, Fault> {
        const ATTEMPT: &str = "read app";
        let item = self.get(app.to_string(), ATTEMPT).await?;
        item.map(|item| item::read_app(&item).map_err(|bad| bad.into_fault(ATTEMPT))).transpose()
    }

    /// The app that the key with this hash opens. Two consistent reads, one for a key that opens nothing.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or an item not decoded.
    pub async fn find_by_key(&self, hash: KeyHash) -> Result<Option<App>, Fault> {
        const ATTEMPT: &str = "read key pointer";
        let Some(pointer) = self.get(keys::key_pointer(hash), ATTEMPT).await? else { return Ok(None) };
        let app = items::read_id(&pointer, keys::KEY_APP).map_err(|bad| bad.into_fault(ATTEMPT))?;
        self.find(&app).await
    }

    /// Since when the id `app` is free, if an app of that id was deleted. One consistent read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the item not decoded.
    pub async fn id_free_since(&self, app: &AppId) -> Result<Option<TimestampMs>, Fault> {
        const ATTEMPT: &str = "read deleted app";
        let item = self.get(keys::deleted_app(app), ATTEMPT).await?;
        let free_since = item.map(|item| items::read_time(&item, keys::ID_FREE_SINCE));
        free_since.transpose().map_err(|bad| bad.into_fault(ATTEMPT))
    }

    async fn get(&self, key: String, attempt: &'static str) -> Result<Option<Item>, Fault> {
        let get = self.client.get_item().table_name(&self.table).key(keys::APP_ID, items::text(key));
        let output = get.consistent_read(true).send().await.map_err(|error| Fault::of(attempt, error))?;
        Ok(output.item)
    }

    /// Registers `app` with its keys in one transaction.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn create(&self, app: &App) -> Result<Created, Fault> {
        const ATTEMPT: &str = "create app";
        let pointers = app.keys.iter().map(|key| item::key_pointer(key, &app.id));
        let actions: Result<Vec<_>, _> =
            std::iter::once(item::of_app(app)).chain(pointers).map(|item| self.put_new(item)).collect();
        let actions = actions.map_err(|error| Fault::of_request(ATTEMPT, error))?;
        match self.client.transact_write_items().set_transact_items(Some(actions)).send().await {
            Ok(_) => Ok(Created::Done),
            Err(error) if is_cancelled_by(&error, &["ConditionalCheckFailed"]) => Ok(Created::AlreadyExists),
            Err(error) => Err(Fault::of(ATTEMPT, error)),
        }
    }

    /// The action that puts an item that must not exist.
    fn put_new(&self, item: Item) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(appId)");
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    /// The action that puts the pointer of a new key of `app`.
    pub(super) fn put_pointer(&self, key: &KeyRecord, app: &AppId) -> Result<TransactWriteItem, BuildError> {
        self.put_new(item::key_pointer(key, app))
    }

    /// The apps of `owner`, sorted by id. One query of the index `byOwner` per megabyte.
    ///
    /// # Errors
    /// A [`Fault`] when the index cannot be read, or an item not decoded.
    pub async fn of_owner(&self, owner: &UserId) -> Result<Vec<AppSummary>, Fault> {
        const ATTEMPT: &str = "list apps";
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_OWNER)
            .key_condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", keys::OWNER)
            .expression_attribute_values(":owner", items::text(owner.as_str()));
        let mut pages = query.into_paginator().items().send();
        let mut summaries = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| Fault::of(ATTEMPT, error))?;
            summaries.push(item::read_summary(&item).map_err(|bad| bad.into_fault(ATTEMPT))?);
        }
        Ok(summaries)
    }

    /// Rejects the reports of `app` until `until`, unless they are rejected to within a minute of it already. One
    /// conditional write; idempotent.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn limit(&self, app: &AppId, until: TimestampMs) -> Result<Limited, Fault> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(keys::APP_ID, items::text(app.as_str()))
            .update_expression("SET limitedUntil = :until")
            .condition_expression(
                "attribute_exists(appId) AND (attribute_not_exists(limitedUntil) OR limitedUntil < :less)",
            )
            .expression_attribute_values(":until", items::number(until.ms()))
            .expression_attribute_values(":less", items::number(until.plus_ms(1 - MINUTE_MS).ms()));
        let limited = if_condition_held("limit app", update.send().await)?;
        Ok(limited.map_or(Limited::AlreadyLimited, |_| Limited::Done))
    }
}
