//! Reads one shard to its end, page by page, and renews shard iterators that expire.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::mpsc;

use super::record::SequenceNumber;
use super::streams_api::{self, Page};
use crate::console::Console;
use crate::dynamodb::Client;

/// How often a shard without new records is polled; Lambda's own rate.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// The delay after a call that failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) enum ShardEvent {
    Records(Vec<Json>),
    /// The shard is closed and was read to its end.
    End,
}

#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) client: Client,
    pub(crate) stream_arn: String,
    pub(crate) shard_id: String,
    /// The last record that was read.
    pub(crate) after: Option<SequenceNumber>,
    pub(crate) console: Arc<Console>,
}

impl Reader {
    /// Reads until the shard ends, its stream is gone or the receiver is closed.
    pub(crate) async fn run(mut self, events: mpsc::Sender<ShardEvent>) {
        let mut iterator = None;
        let mut is_failing = false;
        loop {
            let delay = match self.next_page(iterator.as_deref()).await {
                Ok(Page::Records { records, next }) => {
                    is_failing = false;
                    let is_idle = records.is_empty() && iterator.is_some();
                    let is_end = next.is_none();
                    iterator = next;
                    if !self.send(records, is_end, &events).await || is_end {
                        return;
                    }
                    if is_idle { POLL_INTERVAL } else { Duration::ZERO }
                }
                Ok(Page::IteratorExpired) => {
                    iterator = None;
                    POLL_INTERVAL
                }
                Ok(Page::Trimmed) => {
                    // Without a record that was read, none after it can be missing. DynamoDB Local numbers the records
                    // of all tables together: before its first record, a shard's iterator is behind that record.
                    if self.after.take().is_some() {
                        self.console.warn(&format!(
                            "the stream {} was trimmed before all of it was read: continuing with its oldest record",
                            self.stream_arn
                        ));
                    }
                    iterator = None;
                    POLL_INTERVAL
                }
                Ok(Page::StreamGone) => return,
                Err(error) => {
                    // One warning for each outage.
                    if !std::mem::replace(&mut is_failing, true) {
                        self.console.warn(&format!("cannot read the stream {}: {error:#}", self.stream_arn));
                    }
                    RETRY_DELAY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = events.closed() => return,
            }
        }
    }

    async fn next_page(&self, iterator: Option<&str>) -> anyhow::Result<Page> {
        match iterator {
            Some(iterator) => streams_api::read_page(&self.client, iterator).await,
            None => {
                let (stream_arn, shard_id) = (&self.stream_arn, &self.shard_id);
                streams_api::shard_iterator(&self.client, stream_arn, shard_id, self.after.as_ref()).await
            }
        }
    }

    /// False if the receiver is closed.
    async fn send(&mut self, records: Vec<Json>, is_end: bool, events: &mpsc::Sender<ShardEvent>) -> bool {
        let last = records.last().and_then(|record| record.pointer("/dynamodb/SequenceNumber"));
        if let Some(last) = last.and_then(Json::as_str) {
            self.after = Some(SequenceNumber::new(last));
        }
        if !records.is_empty() && events.send(ShardEvent::Records(records)).await.is_err() {
            return false;
        }
        !is_end || events.send(ShardEvent::End).await.is_ok()
    }
}
