//! Changes of an existing app: its settings, its keys with their pointers, and its deletion.
//!
//! A change is conditional on the app as it was read, so that of two operators neither overwrites the other.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use nsl_domain::app::{App, KeyRecord, OwnLimits};
use nsl_domain::rollup::AppRetention;
use nsl_domain::time::TimestampMs;

use super::item;
use super::table::Apps;
use crate::fault::{Fault, is_cancelled_by};
use crate::items;
use crate::keys;

/// Why a transaction is cancelled when the app was changed since it was read.
const CONFLICTS: [&str; 2] = ["ConditionalCheckFailed", "TransactionConflict"];

/// The outcome of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is written.
    Done,
    /// Nothing is written: the app was changed since it was read, or one of its new keys opens another app.
    Conflict,
}

impl Apps {
    /// Changes `before`, as it was read, into `after`: name, status, keys, `legacy`, shards, limits, retention and the least
    /// age of its tokens. One transaction of the app and of the pointer of each key that is added or dropped. The
    /// limit of an app can be lifted here, but is not part of the condition: the rollup function sets it at any time.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn save(&self, before: &App, after: &App) -> Result<Saved, Fault> {
        let added = after.keys.iter().filter(|key| !before.keys.contains(key));
        let dropped = before.keys.iter().filter(|key| !after.keys.contains(key));
        let pointers = added.map(|key| self.put_pointer(key, &after.id));
        let pointers = pointers.chain(dropped.map(|key| self.delete_pointer(key)));
        self.commit(std::iter::once(self.update(before, after)).chain(pointers), "save app").await
    }

    /// Deletes `app` and the pointers of its keys, if it still is as it was read, and stores since when its id is free.
    /// One transaction.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn delete(&self, app: &App, id_free_since: TimestampMs) -> Result<Saved, Fault> {
        let Condition { expression, names, values } = Condition::is_unchanged(app);
        let delete = Delete::builder()
            .table_name(&self.table)
            .key(keys::APP_ID, items::text(app.id.as_str()))
            .condition_expression(expression)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .build();
        let delete = delete.map(|delete| TransactWriteItem::builder().delete(delete).build());
        let remains = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item::of_deleted(&app.id, id_free_since)))
            .build()
            .map(|put| TransactWriteItem::builder().put(put).build());
        let pointers = app.keys.iter().map(|key| self.delete_pointer(key));
        self.commit([delete, remains].into_iter().chain(pointers), "delete app").await
    }

    fn update(&self, before: &App, after: &App) -> Result<TransactWriteItem, BuildError> {
        let Condition { expression: condition, names, mut values } = Condition::is_unchanged(before);
        let mut assignments = Vec::new();
        for (name, value) in item::attributes(after) {
            assignments.push(format!("#{name} = :{name}"));
            values.insert(format!(":{name}"), value);
        }
        let mut update = format!("SET {}", assignments.join(", "));
        if before.limited_until.is_some() && after.limited_until.is_none() {
            update.push_str(" REMOVE limitedUntil");
        }
        let update = Update::builder()
            .table_name(&self.table)
            .key(keys::APP_ID, items::text(before.id.as_str()))
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values));
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    fn delete_pointer(&self, key: &KeyRecord) -> Result<TransactWriteItem, BuildError> {
        let pointer = items::text(keys::key_pointer(key.hash));
        let delete = Delete::builder().table_name(&self.table).key(keys::APP_ID, pointer).build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    async fn commit(
        &self,
        actions: impl Iterator<Item = Result<TransactWriteItem, BuildError>>,
        attempt: &'static str,
    ) -> Result<Saved, Fault> {
        let actions = actions.collect::<Result<_, _>>().map_err(|error| Fault::of_request(attempt, error))?;
        match self.client.transact_write_items().set_transact_items(Some(actions)).send().await {
            Ok(_) => Ok(Saved::Done),
            Err(error) if is_cancelled_by(&error, &CONFLICTS) => Ok(Saved::Conflict),
            Err(error) => Err(Fault::of(attempt, error)),
        }
    }
}

/// A condition expression with the names and values of its placeholders.
struct Condition {
    expression: String,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Condition {
    /// That `app` is stored as it is here.
    fn is_unchanged(app: &App) -> Self {
        let stored: HashMap<_, _> = item::attributes(app).into_iter().collect();
        let mut clauses = Vec::new();
        let (mut names, mut values) = (HashMap::new(), HashMap::new());
        for name in item::CHANGEABLE {
            let is_default = name == keys::LIMITS && app.limits == OwnLimits::default()
                || name == keys::RETENTION && app.retention == AppRetention::default();
            clauses.push(match stored.get(name) {
                None => format!("attribute_not_exists(#{name})"),
                // An app from before the attribute existed has none, and so the default.
                Some(_) if is_default => format!("(attribute_not_exists(#{name}) OR #{name} = :was_{name})"),
                Some(_) => format!("#{name} = :was_{name}"),
            });
            names.insert(format!("#{name}"), name.to_owned());
            values.extend(stored.get(name).map(|value| (format!(":was_{name}"), value.clone())));
        }
        Self { expression: clauses.join(" AND "), names, values }
    }
}
