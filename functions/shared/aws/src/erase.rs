//! Deletion of whole partitions: what is left of a deleted app.

use std::time::Duration;

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};

use crate::fault::{Fault, Kind};
use crate::items::Item;
use crate::keys;
use crate::table::Table;

/// Most writes of one batch: DynamoDB's limit.
const BATCH_ROWS: usize = 25;

/// How often the unprocessed rest of a batch is sent again.
const MAX_ROUNDS: u32 = 8;

/// Pause before the first repetition; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// One partition of one table.
#[derive(Debug, Clone)]
pub struct Partition {
    table: Table,
    key: String,
}

impl Partition {
    pub(crate) fn new(table: &Table, key: String) -> Self {
        Self { table: table.clone(), key }
    }

    /// Deletes every row and returns how many there were. One consistent query per megabyte, and one batch per 25 rows.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read or written, `Throttled` when it would not take all of a batch.
    pub async fn erase(&self) -> Result<u64, Fault> {
        let query = self.table.query(self.key.as_str()).projection_expression(keys::KEY_ONLY);
        let mut rows = query.into_paginator().items().send();
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        let mut erased = 0;
        while let Some(row) = rows.next().await {
            let row = row.map_err(|error| Fault::of("query partition", error))?;
            batch.push(delete_request(row)?);
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
            let name = &self.table.name;
            let write = self.table.client.batch_write_item().request_items(name, batch);
            let output = write.send().await.map_err(|error| Fault::of(ATTEMPT, error))?;
            batch = output.unprocessed_items.and_then(|mut left| left.remove(name)).unwrap_or_default();
            if batch.is_empty() {
                return Ok(());
            }
        }
        Err(Fault { kind: Kind::Throttled, attempt: ATTEMPT, source: None })
    }
}

fn delete_request(row: Item) -> Result<WriteRequest, Fault> {
    let delete = DeleteRequest::builder().set_key(Some(row)).build();
    let delete = delete.map_err(|error| Fault::of_request("delete rows", error))?;
    Ok(WriteRequest::builder().delete_request(delete).build())
}
