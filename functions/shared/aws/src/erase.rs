//! Whole partitions, deleted: what is left of an application that was deleted.
//!
//! Owns the batches and their patience. Refuses a scan: whoever erases names each partition.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};

use crate::fault::{Fault, Kind};
use crate::items::{self, Item};
use crate::keys::{self, expression};

/// Most writes of one batch: DynamoDB's limit.
const BATCH_ROWS: usize = 25;

/// Times that what a batch left over is sent again.
const MAX_ROUNDS: u32 = 8;

/// Pause before the first repetition; each later one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// One partition of one table.
#[derive(Debug, Clone)]
pub struct Partition {
    client: Client,
    table: String,
    key: String,
}

impl Partition {
    pub(crate) fn new(client: &Client, table: &str, key: String) -> Self {
        Self { client: client.clone(), table: table.to_owned(), key }
    }

    /// Deletes every row and tells how many there were. One consistent query for each megabyte, and one batch for
    /// each 25 rows.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read or written, `Throttled` when it would not take all of a batch.
    pub async fn erase(&self) -> Result<u64, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .projection_expression(expression::KEY_ONLY)
            .key_condition_expression(expression::PARTITION)
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#sk", keys::SK)
            .expression_attribute_values(":pk", items::text(self.key.as_str()));
        let mut rows = query.into_paginator().items().send();
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        let mut erased = 0;
        while let Some(row) = rows.next().await {
            let row = row.map_err(|error| Fault::of("query partition", error))?;
            batch.extend(deletion(row));
            erased += 1;
            if batch.len() == BATCH_ROWS {
                self.delete(std::mem::take(&mut batch)).await?;
            }
        }
        if !batch.is_empty() {
            self.delete(batch).await?;
        }
        Ok(erased)
    }

    async fn delete(&self, mut batch: Vec<WriteRequest>) -> Result<(), Fault> {
        const ATTEMPT: &str = "delete rows";
        for round in 0..MAX_ROUNDS {
            if round > 0 {
                tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(round - 1)).await;
            }
            let write = self.client.batch_write_item().request_items(&self.table, batch);
            let output = write.send().await.map_err(|error| Fault::of(ATTEMPT, error))?;
            batch =
                output.unprocessed_items.and_then(|mut left| left.remove(&self.table)).unwrap_or_default();
            if batch.is_empty() {
                return Ok(());
            }
        }
        Err(Fault { kind: Kind::Throttled, attempt: ATTEMPT, source: None })
    }
}

fn deletion(row: Item) -> Option<WriteRequest> {
    let delete = DeleteRequest::builder().set_key(Some(row)).build().ok()?;
    Some(WriteRequest::builder().delete_request(delete).build())
}
