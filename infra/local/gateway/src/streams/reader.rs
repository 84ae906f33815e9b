//! Reads one shard to its end, page by page, whatever becomes of its places.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::mpsc;

use super::record::SequenceNumber;
use super::streams_api::{self, Page};
use crate::console::Console;
use crate::dynamodb::Client;

/// How often a shard without news is asked: Lambda's own rate.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// The pause after a call that failed.
const FAULT_PAUSE: Duration = Duration::from_secs(1);

/// What a shard's reader tells.
#[derive(Debug)]
pub(crate) enum News {
    Records(Vec<Json>),
    /// The shard is closed and was read to its end.
    End,
}

/// See the module.
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
    /// Reads until the shard ends, its stream is gone or nobody listens any more.
    pub(crate) async fn run(mut self, news: mpsc::Sender<News>) {
        let mut place = None;
        let mut is_faulty = false;
        loop {
            let pause = match self.page(place.as_deref()).await {
                Ok(Page::Records { records, next }) => {
                    is_faulty = false;
                    let pause =
                        if records.is_empty() && place.is_some() { POLL_EVERY } else { Duration::ZERO };
                    let is_end = next.is_none();
                    place = next;
                    if !self.tell(records, is_end, &news).await || is_end {
                        return;
                    }
                    pause
                }
                Ok(Page::Expired) => {
                    place = None;
                    POLL_EVERY
                }
                Ok(Page::Trimmed) => {
                    self.console.warn(&format!(
                        "the stream {} was trimmed before all of it was read: going on with the oldest record left",
                        self.stream_arn
                    ));
                    (place, self.after) = (None, None);
                    POLL_EVERY
                }
                Ok(Page::Gone) => return,
                Err(fault) => {
                    // Once for each outage.
                    if !std::mem::replace(&mut is_faulty, true) {
                        self.console.warn(&format!("cannot read the stream {}: {fault:#}", self.stream_arn));
                    }
                    FAULT_PAUSE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = news.closed() => return,
            }
        }
    }

    async fn page(&self, place: Option<&str>) -> anyhow::Result<Page> {
        match place {
            Some(place) => streams_api::records_at(&self.client, place).await,
            None => {
                streams_api::place_in(&self.client, &self.stream_arn, &self.shard_id, self.after.as_ref())
                    .await
            }
        }
    }

    /// Whether somebody still listens.
    async fn tell(&mut self, records: Vec<Json>, is_end: bool, news: &mpsc::Sender<News>) -> bool {
        let last = records.last().and_then(|record| record.pointer("/dynamodb/SequenceNumber"));
        if let Some(last) = last.and_then(Json::as_str) {
            self.after = Some(SequenceNumber::new(last));
        }
        if !records.is_empty() && news.send(News::Records(records)).await.is_err() {
            return false;
        }
        !is_end || news.send(News::End).await.is_ok()
    }
}
