//! Delivers one shard to its function: does what the shard's queues decide, and saves its checkpoint.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::batch_result::{BatchResult, read_response};
use super::checkpoints::Checkpoints;
use super::mapping::EventSourceMapping;
use super::on_failure::{self, Origin};
use super::ordered_queue::{Discarded, Step};
use super::reader::{Reader, ShardEvent};
use super::record::Record;
use super::shard::Shard;
use crate::clock;
use crate::lambda::InvokeError;

/// How long a batch may wait for a process of its function before it is retried.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(60);

/// How the delivery of a shard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryEnd {
    /// The shard is closed and all of it is processed.
    Finished,
    /// There may be more records.
    Stopped,
}

/// The result of a batch of one of the shard's queues.
struct Delivered {
    queue: usize,
    result: BatchResult,
}

type InFlight = FuturesUnordered<BoxFuture<'static, Delivered>>;

#[derive(Debug)]
pub(crate) struct Delivery {
    mapping: Arc<EventSourceMapping>,
    /// The stream's ARN with the region that functions see.
    stream_arn: String,
    shard_id: String,
    shard: Shard,
    checkpoints: Arc<Mutex<Checkpoints>>,
}

impl Delivery {
    /// Delivers a shard from its checkpoint on, until its end or `stop`; batches in flight are waited for.
    pub(crate) async fn run(
        mapping: &Arc<EventSourceMapping>,
        stream_arn: &str,
        shard_id: &str,
        checkpoints: &Arc<Mutex<Checkpoints>>,
        stop: CancellationToken,
    ) -> DeliveryEnd {
        let after = checkpoints.lock().after(shard_id);
        let delivery = Self {
            mapping: Arc::clone(mapping),
            stream_arn: mapping.local_arn(stream_arn),
            shard_id: shard_id.to_owned(),
            shard: Shard::new(&mapping.plan.rules, mapping.chaos_seed, after.clone()),
            checkpoints: Arc::clone(checkpoints),
        };
        let reader = Reader {
            client: mapping.client.clone(),
            stream_arn: stream_arn.to_owned(),
            shard_id: shard_id.to_owned(),
            after,
            console: Arc::clone(&mapping.console),
        };
        let (sender, events) = mpsc::channel(1);
        tokio::spawn(reader.run(sender));
        delivery.deliver_all(events, stop).await
    }

    async fn deliver_all(
        mut self,
        mut events: mpsc::Receiver<ShardEvent>,
        stop: CancellationToken,
    ) -> DeliveryEnd {
        let mut in_flight = InFlight::new();
        let (mut is_reading, mut is_at_end) = (true, false);
        loop {
            let is_stopped = stop.is_cancelled();
            let mut wake_ms: Option<i64> = None;
            if !is_stopped {
                for queue in 0..self.shard.queues() {
                    wake_ms = wake_ms.into_iter().chain(self.advance(queue, &mut in_flight)).min();
                }
            }
            self.save_checkpoint();
            if in_flight.is_empty() {
                if is_at_end && self.shard.is_empty() {
                    return DeliveryEnd::Finished;
                }
                if is_stopped || (!is_reading && !is_at_end && self.shard.is_empty()) {
                    return DeliveryEnd::Stopped;
                }
            }
            tokio::select! {
                Some(Delivered { queue, result }) = in_flight.next() => {
                    if let Some(discarded) = self.shard.finish_batch(queue, result, clock::now_ms()) {
                        self.discard(&discarded);
                    }
                }
                event = events.recv(), if is_reading && !is_stopped && self.shard.has_room() => match event {
                    Some(ShardEvent::Records(records)) => self.push(&records),
                    Some(ShardEvent::End) => (is_reading, is_at_end) = (false, true),
                    None => is_reading = false,
                },
                () = sleep_until(wake_ms) => {}
                () = stop.cancelled(), if !is_stopped => {}
            }
            if !is_reading {
                self.shard.close();
            }
        }
    }

    fn push(&mut self, records: &[Json]) {
        let now_ms = clock::now_ms();
        let filters = &self.mapping.plan.filters;
        for record in records {
            let Some(record) = Record::read(record, &self.mapping.region, &self.stream_arn) else {
                self.mapping.console.warn(&format!("malformed record in the stream {}", self.stream_arn));
                continue;
            };
            let matches = filters.is_empty() || filters.iter().any(|filter| filter.matches(&record.event));
            self.shard.push(record, matches, now_ms);
        }
    }

    /// Starts the next batch of a queue, if it is due; otherwise returns when to check again.
    fn advance(&mut self, queue: usize, in_flight: &mut InFlight) -> Option<i64> {
        loop {
            match self.shard.next_step(queue, clock::now_ms()) {
                Step::Deliver(records) => {
                    let mapping = Arc::clone(&self.mapping);
                    in_flight.push(Box::pin(async move {
                        Delivered { queue, result: deliver(&mapping, records).await }
                    }));
                    return None;
                }
                Step::Discard(discarded) => self.discard(&discarded),
                Step::Wait(until_ms) => return until_ms,
            }
        }
    }

    fn discard(&self, discarded: &Discarded) {
        let mapping = &self.mapping;
        let (function, reason) = (&mapping.plan.function, discarded.reason.as_str());
        let Some(file) = &mapping.on_failure else {
            let count = discarded.records.len();
            return mapping
                .console
                .warn(&format!("{function}: {count} stream records are discarded: {reason}"));
        };
        let origin = Origin {
            function_arn: &mapping.function.arn,
            stream_arn: &self.stream_arn,
            shard_id: &self.shard_id,
        };
        let message = on_failure::message(discarded, origin, clock::now_ms());
        match on_failure::append(file, &message) {
            Ok(()) => mapping.warn_once(|| {
                format!("{function}: stream records are discarded ({reason}): see {}", file.display())
            }),
            Err(error) => mapping.console.warn(&format!("{function}: {error:#}: {message}")),
        }
    }

    fn save_checkpoint(&self) {
        let Some(after) = self.shard.checkpoint() else { return };
        if let Err(error) = self.checkpoints.lock().advance(&self.shard_id, after) {
            self.mapping.console.warn(&format!("{error:#}"));
        }
    }
}

async fn deliver(mapping: &EventSourceMapping, records: Vec<Record>) -> BatchResult {
    let events: Vec<&Json> = records.iter().map(|record| &record.event).collect();
    let event = json!({ "Records": events });
    let limit = mapping.function.timeout + QUEUE_TIMEOUT;
    match mapping.invoker.invoke(&mapping.plan.function, &event, limit).await {
        Ok(response) if mapping.plan.rules.reports_failures => read_response(&response, &records),
        Ok(_) => BatchResult::Succeeded,
        Err(InvokeError::Function { .. }) => BatchResult::Failed,
        Err(InvokeError::TimedOut | InvokeError::Unavailable(_)) => BatchResult::NotInvoked,
    }
}

/// Sleeps until `until_ms`, or for ever.
async fn sleep_until(until_ms: Option<i64>) {
    let Some(until_ms) = until_ms else { return std::future::pending().await };
    let left_ms = u64::try_from(until_ms - clock::now_ms()).unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(left_ms)).await;
}
