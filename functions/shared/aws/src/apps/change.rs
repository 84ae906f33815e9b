//! Changes of an application that is there: keys with their pointers, status, name, limits, and its end.
//!
//! Owns the one rule of them: a change is written only onto what was read before, so that of two operators none
//! loses the other's. A key and its pointer come and go in one transaction.

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use nsl_domain::app::{App, KeyRecord, OwnLimits};
use nsl_domain::rollup::AppRetention;

use super::{Apps, app_settings, aws_sdk_error, key_entries, pointer_item, status_text};
use crate::fault::Fault;
use crate::items;
use crate::keys::{self, expression};

/// Why a transaction was refused for a reason that reading again mends.
const OVERTAKEN: [&str; 2] = ["ConditionalCheckFailed", "TransactionConflict"];

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is written.
    Done,
    /// Nothing is: somebody changed the application since it was read, or one of its new keys opens another.
    Conflict,
}

impl Apps {
    /// Makes `was`, as it was read, into `is`: name, status, keys, `legacy`, shards, limits, retention and the age of
    /// its tokens. One transaction of the application and of each pointer of a key that comes or goes. That it is
    /// limited can be lifted here, and is no part of what was read: the rollup function may say so at any time.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn save(&self, was: &App, is: &App) -> Result<Saved, Fault> {
        const ATTEMPT: &str = "save app";
        let mut actions =
            vec![self.change(was, is).map_err(|error| Fault::of(ATTEMPT, aws_sdk_error(error)))?];
        for key in is.keys.iter().filter(|key| !was.keys.contains(key)) {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(pointer_item(key, &is.id)))
                .condition_expression(expression::IS_NEW)
                .expression_attribute_names("#pk", keys::APP_ID)
                .build();
            let put = put.map_err(|error| Fault::of(ATTEMPT, aws_sdk_error(error)))?;
            actions.push(TransactWriteItem::builder().put(put).build());
        }
        for key in was.keys.iter().filter(|key| !is.keys.contains(key)) {
            let delete = self.drop_pointer(key).map_err(|error| Fault::of(ATTEMPT, aws_sdk_error(error)))?;
            actions.push(delete);
        }
        self.commit(actions, ATTEMPT).await
    }

    /// Deletes the application and the pointers of its keys, if it still is as it was read. One transaction.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn delete(&self, app: &App) -> Result<Saved, Fault> {
        const ATTEMPT: &str = "delete app";
        let mut delete = Delete::builder()
            .table_name(&self.table)
            .key(keys::APP_ID, items::text(app.id.as_str()))
            .condition_expression(as_read(app));
        for (placeholder, name) in NAMES {
            delete = delete.expression_attribute_names(placeholder, name);
        }
        for (placeholder, value) in values_as_read(app) {
            delete = delete.expression_attribute_values(placeholder, value);
        }
        let delete = delete.build().map_err(|error| Fault::of(ATTEMPT, aws_sdk_error(error)))?;
        let mut actions = vec![TransactWriteItem::builder().delete(delete).build()];
        for key in &app.keys {
            let delete = self.drop_pointer(key).map_err(|error| Fault::of(ATTEMPT, aws_sdk_error(error)))?;
            actions.push(delete);
        }
        self.commit(actions, ATTEMPT).await
    }

    fn change(&self, was: &App, is: &App) -> Result<TransactWriteItem, BuildError> {
        let lifts = was.limited_until.is_some() && is.limited_until.is_none();
        let tokens = is.tokens_not_before.map_or("", |_| expression::AND_TOKENS);
        let lift = if lifts { expression::AND_LIFT } else { "" };
        let mut update = Update::builder()
            .table_name(&self.table)
            .key(keys::APP_ID, items::text(was.id.as_str()))
            .update_expression([expression::CHANGE_APP, tokens, lift].concat())
            .condition_expression(as_read(was));
        if lifts {
            update = update.expression_attribute_names("#limitedUntil", keys::LIMITED_UNTIL);
        }
        for (placeholder, name) in NAMES {
            update = update.expression_attribute_names(placeholder, name);
        }
        for (placeholder, value) in values_as_read(was).into_iter().chain(values_to_write(is)) {
            update = update.expression_attribute_values(placeholder, value);
        }
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    fn drop_pointer(&self, key: &KeyRecord) -> Result<TransactWriteItem, BuildError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key(keys::APP_ID, items::text(keys::key_pointer(key.hash)))
            .build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    async fn commit(&self, actions: Vec<TransactWriteItem>, attempt: &'static str) -> Result<Saved, Fault> {
        match self.client.transact_write_items().set_transact_items(Some(actions)).send().await {
            Ok(_) => Ok(Saved::Done),
            Err(error) if is_overtaken(&error) => Ok(Saved::Conflict),
            Err(error) => Err(Fault::of(attempt, error)),
        }
    }
}

/// The names that every expression of a change uses.
const NAMES: [(&str, &str); 8] = [
    ("#name", keys::NAME),
    ("#status", keys::STATUS),
    ("#keys", keys::KEYS),
    ("#legacy", keys::LEGACY),
    ("#shards", keys::SHARDS),
    ("#limits", keys::LIMITS),
    ("#retention", keys::RETENTION),
    ("#tokens", keys::TOKENS_NOT_BEFORE),
];

fn as_read(app: &App) -> String {
    let tokens = match app.tokens_not_before {
        Some(_) => expression::WITH_TOKENS,
        None => expression::WITHOUT_TOKENS,
    };
    let limits = match app.limits == OwnLimits::default() {
        true => expression::WITHOUT_LIMITS,
        false => expression::WITH_LIMITS,
    };
    let retention = match app.retention == AppRetention::default() {
        true => expression::WITHOUT_RETENTION,
        false => expression::WITH_RETENTION,
    };
    [expression::APP_AS_READ, tokens, limits, retention].concat()
}

fn values_as_read(app: &App) -> Vec<(&'static str, AttributeValue)> {
    let placeholders = [
        ":wasName",
        ":wasStatus",
        ":wasKeys",
        ":wasLegacy",
        ":wasShards",
        ":wasLimits",
        ":wasRetention",
        ":wasTokens",
    ];
    values(app, placeholders)
}

fn values_to_write(app: &App) -> Vec<(&'static str, AttributeValue)> {
    let placeholders =
        [":name", ":status", ":keys", ":legacy", ":shards", ":limits", ":retention", ":tokens"];
    values(app, placeholders)
}

/// The attributes of `app` in the order of [`NAMES`]; the last one only where it is set.
fn values(app: &App, placeholders: [&'static str; 8]) -> Vec<(&'static str, AttributeValue)> {
    let attributes = [
        Some(items::text(&app.name)),
        Some(items::text(status_text(app.status))),
        Some(key_entries(app)),
        Some(AttributeValue::Bool(app.legacy)),
        Some(items::number(app.shards)),
        Some(app_settings::limits_entry(&app.limits)),
        Some(app_settings::retention_entry(&app.retention)),
        app.tokens_not_before.map(|earliest| items::number(earliest.ms())),
    ];
    let pairs = placeholders.into_iter().zip(attributes);
    pairs.filter_map(|(placeholder, value)| Some((placeholder, value?))).collect()
}

fn is_overtaken<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        return false;
    };
    let reasons = cancelled.cancellation_reasons();
    reasons.iter().filter_map(|reason| reason.code()).any(|code| OVERTAKEN.contains(&code))
}
