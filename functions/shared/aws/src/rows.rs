//! Rows of one partition: the consistent query that finds them, and what they say, page by page.
//!
//! Refuses to let one damaged row spoil the others: it is logged and left out.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;

use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys::{self, expression};

/// The consistent query of every row of `partition`.
pub(crate) fn of_partition(client: &Client, table: &str, partition: String) -> QueryFluentBuilder {
    in_partition(client, table, partition).key_condition_expression(expression::PARTITION)
}

/// The consistent query of the rows of `partition` whose sort keys begin with `prefix`.
pub(crate) fn with_prefix(
    client: &Client,
    table: &str,
    partition: String,
    prefix: &str,
) -> QueryFluentBuilder {
    in_partition(client, table, partition)
        .key_condition_expression(expression::WITH_PREFIX)
        .expression_attribute_names("#sk", keys::SK)
        .expression_attribute_values(":prefix", items::text(prefix))
}

fn in_partition(client: &Client, table: &str, partition: String) -> QueryFluentBuilder {
    client
        .query()
        .table_name(table)
        .consistent_read(true)
        .expression_attribute_names("#pk", keys::PK)
        .expression_attribute_values(":pk", items::text(partition))
}

/// What `read` makes of every row that `query` finds, page by page. A row of which it makes nothing is left out; one
/// that cannot be read is logged and left out, so that it spoils no other.
pub(crate) async fn readable<T>(
    query: QueryFluentBuilder,
    attempt: &'static str,
    read: impl Fn(&Item) -> Result<Option<T>, BadAttribute>,
) -> Result<Vec<T>, Fault> {
    let mut rows = query.into_paginator().items().send();
    let mut readable = Vec::new();
    while let Some(row) = rows.next().await {
        let row = row.map_err(|error| Fault::of(attempt, error))?;
        readable.extend(told(&row, attempt, &read));
    }
    Ok(readable)
}

/// The same of the first page of a megabyte, and whether that was all.
pub(crate) async fn first_page<T>(
    query: QueryFluentBuilder,
    attempt: &'static str,
    read: impl Fn(&Item) -> Result<Option<T>, BadAttribute>,
) -> Result<(Vec<T>, bool), Fault> {
    let page = query.send().await.map_err(|error| Fault::of(attempt, error))?;
    let is_all = page.last_evaluated_key().is_none_or(|key| key.is_empty());
    Ok((page.items().iter().filter_map(|row| told(row, attempt, &read)).collect(), is_all))
}

fn told<T>(
    row: &Item,
    attempt: &'static str,
    read: impl Fn(&Item) -> Result<Option<T>, BadAttribute>,
) -> Option<T> {
    read(row).unwrap_or_else(|bad| {
        let partition = items::read_text(row, keys::PK).unwrap_or_default();
        tracing::error!(attempt, partition, reason = %bad, "a row cannot be read");
        None
    })
}
