//! Requests to a table with the keys `pk` and `sk`, which the stores build on.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;
use nsl_domain::time::TimestampMs;

use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::retries;

/// A table and the client that reaches it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Table {
    /// The item under a key. One consistent read.
    pub(crate) async fn get(
        &self,
        pk: String,
        sk: impl Into<String>,
        attempt: &'static str,
    ) -> Result<Option<Item>, Fault> {
        let get = self
            .client
            .get_item()
            .table_name(&self.name)
            .consistent_read(true)
            .key(keys::PK, items::text(pk))
            .key(keys::SK, items::text(sk));
        Ok(get.send().await.map_err(|error| Fault::of(attempt, error))?.item)
    }

    /// A write of an item under a key.
    pub(crate) fn put(&self, pk: String, sk: impl Into<String>) -> PutItemFluentBuilder {
        let put = self.client.put_item().table_name(&self.name);
        put.item(keys::PK, items::text(pk)).item(keys::SK, items::text(sk))
    }

    /// An update of the item under a key, which makes it if it does not exist.
    pub(crate) fn update(&self, pk: impl Into<String>, sk: impl Into<String>) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.name);
        update.key(keys::PK, items::text(pk)).key(keys::SK, items::text(sk))
    }

    /// An update of the item under a key on the condition that it exists.
    pub(crate) fn update_existing(&self, pk: String, sk: impl Into<String>) -> UpdateItemFluentBuilder {
        self.update(pk, sk).condition_expression(keys::EXISTS)
    }

    /// A deletion of the item under a key.
    pub(crate) fn deletion(&self, pk: String, sk: impl Into<String>) -> DeleteItemFluentBuilder {
        let delete = self.client.delete_item().table_name(&self.name);
        delete.key(keys::PK, items::text(pk)).key(keys::SK, items::text(sk))
    }

    /// Deletes the item under a key and returns it, `None` if there was none. One write, tried more often than others:
    /// connections that end at once are more than a partition takes in a second, and a row that is left counts for hours.
    pub(crate) async fn delete_at_end(
        &self,
        pk: String,
        sk: impl Into<String>,
        attempt: &'static str,
    ) -> Result<Option<Item>, Fault> {
        let delete = self.deletion(pk, sk).return_values(ReturnValue::AllOld).customize();
        let delete = delete.config_override(retries::at_end());
        Ok(delete.send().await.map_err(|error| Fault::of(attempt, error))?.attributes)
    }

    /// The consistent query of every item of a partition.
    pub(crate) fn query(&self, pk: impl Into<String>) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression(keys::IN_PARTITION)
            .expression_attribute_values(":pk", items::text(pk))
    }

    /// The consistent query of the items of a partition whose sort keys meet `condition`.
    pub(crate) fn query_where<const N: usize>(
        &self,
        pk: impl Into<String>,
        condition: &str,
        values: [(&str, String); N],
    ) -> QueryFluentBuilder {
        let query = self.query(pk).key_condition_expression(condition);
        values.into_iter().fold(query, |query, (placeholder, value)| {
            query.expression_attribute_values(placeholder, items::text(value))
        })
    }

    /// The consistent query of the items of a partition whose sort keys begin with an instant from `from` until before
    /// `to`.
    pub(crate) fn query_between(&self, pk: String, from: TimestampMs, to: TimestampMs) -> QueryFluentBuilder {
        let bounds = [(":first", keys::first_report_at(from)), (":last", keys::last_report_before(to))];
        self.query_where(pk, "pk = :pk AND sk BETWEEN :first AND :last", bounds)
    }

    /// The consistent query of the items of a partition whose sort keys begin with `prefix`.
    pub(crate) fn query_prefix(&self, pk: String, prefix: &str) -> QueryFluentBuilder {
        self.query_where(pk, "pk = :pk AND begins_with(sk, :prefix)", [(":prefix", prefix.to_owned())])
    }
}

/// The write of a row by a frame that arrived at `now`, unless a later frame wrote it.
pub(crate) fn unless_later(put: PutItemFluentBuilder, now: TimestampMs) -> PutItemFluentBuilder {
    put.item(keys::AT, items::number(now.ms()))
        .condition_expression(keys::IS_NOT_LATER)
        .expression_attribute_names("#at", keys::AT)
        .expression_attribute_values(":at", items::number(now.ms()))
}

/// Calls `visit` with what `read` returns for every item that `query` finds, page by page. An item for which it returns
/// `None` is left out; one that cannot be read is logged and left out, so that it hides no other.
pub(crate) async fn for_each<T>(
    query: QueryFluentBuilder,
    attempt: &'static str,
    read: impl Fn(&Item) -> Result<Option<T>, BadAttribute>,
    mut visit: impl FnMut(T),
) -> Result<(), Fault> {
    let visit = |value| {
        visit(value);
        true
    };
    for_each_while(query, attempt, read, visit).await.map(drop)
}

/// The same until `visit` returns false; whether it never did. No page is read after that.
pub(crate) async fn for_each_while<T>(
    query: QueryFluentBuilder,
    attempt: &'static str,
    read: impl Fn(&Item) -> Result<Option<T>, BadAttribute>,
    mut visit: impl FnMut(T) -> bool,
) -> Result<bool, Fault> {
    let mut items = query.into_paginator().items().send();
    while let Some(item) = items.next().await {
        let item = item.map_err(|error| Fault::of(attempt, error))?;
        if let Some(value) = read_or_log(&item, attempt, &read)
            && !visit(value)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What [`for_each`] visits, collected.
pub(crate) async fn read_all<T>(
    query: QueryFluentBuilder,
    attempt: &'static str,
    read: impl Fn(&Item) -> Result<Option<T>, BadAttribute>,
) -> Result<Vec<T>, Fault> {
    let mut values = Vec::new();
    for_each(query, attempt, read, |value| values.push(value)).await?;
    Ok(values)
}

/// The first page of a query, at most a megabyte.
pub(crate) struct Page<T> {
    pub(crate) values: Vec<T>,
    /// Whether the query has no further page.
    pub(crate) is_last: bool,
}

/// Reads the first page of `query` as [`read_all`] does. One call.
pub(crate) async fn read_page<T>(
    query: QueryFluentBuilder,
    attempt: &'static str,
    read: impl Fn(&Item) -> Result<Option<T>, BadAttribute>,
) -> Result<Page<T>, Fault> {
    let page = query.send().await.map_err(|error| Fault::of(attempt, error))?;
    let is_last = page.last_evaluated_key().is_none_or(|key| key.is_empty());
    Ok(Page {
        values: page.items().iter().filter_map(|item| read_or_log(item, attempt, &read)).collect(),
        is_last,
    })
}

/// What `read` returns for `item`; `None` and a log line if it cannot be read.
pub(crate) fn read_or_log<T>(
    item: &Item,
    attempt: &'static str,
    read: impl Fn(&Item) -> Result<Option<T>, BadAttribute>,
) -> Option<T> {
    read(item).unwrap_or_else(|bad| {
        let partition = items::read_text(item, keys::PK).unwrap_or_default();
        tracing::error!(attempt, partition, reason = %bad, "stored item unreadable");
        None
    })
}
