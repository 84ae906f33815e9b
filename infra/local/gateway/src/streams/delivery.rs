//! Delivers one shard to its function: does what the shard's core decides, and keeps its checkpoint.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::batch_result::{BatchResult, judge};
use super::checkpoints::Checkpoints;
use super::mapping::Mapping;
use super::on_failure::{self, Origin};
use super::ordered_queue::{Discarded, Step};
use super::reader::{News, Reader};
use super::record::Record;
use super::shard::Shard;
use crate::clock;
use crate::lambda::InvokeError;

/// How long a batch may wait for a process of its function before the wait is begun again.
const QUEUE_LIMIT: Duration = Duration::from_secs(60);
/// Milliseconds of a second: stream records tell their time no better.
const SECOND_MS: i64 = 1000;

/// How the delivery of a shard came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The shard is closed and all of it is settled.
    Finished,
    /// There may be more.
    Stopped,
}

/// A batch that was delivered, by its lane.
type Delivered = (usize, BatchResult);

/// See the module.
#[derive(Debug)]
pub(crate) struct Delivery {
    mapping: Arc<Mapping>,
    stream_arn: String,
    shard_id: String,
    shard: Shard,
    checkpoints: Arc<Mutex<Checkpoints>>,
    since_ms: i64,
}

impl Delivery {
    pub(crate) fn new(
        mapping: &Arc<Mapping>,
        stream_arn: &str,
        shard_id: &str,
        checkpoints: &Arc<Mutex<Checkpoints>>,
    ) -> (Self, Reader) {
        let (after, since_ms) = {
            let checkpoints = checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
            (checkpoints.after(shard_id), checkpoints.since_ms())
        };
        let reader = Reader {
            client: mapping.client.clone(),
            stream_arn: stream_arn.to_owned(),
            shard_id: shard_id.to_owned(),
            after: after.clone(),
            console: Arc::clone(&mapping.console),
        };
        let delivery = Self {
            mapping: Arc::clone(mapping),
            stream_arn: stream_arn.to_owned(),
            shard_id: shard_id.to_owned(),
            shard: Shard::new(&mapping.plan.rules, mapping.seed, after),
            checkpoints: Arc::clone(checkpoints),
            since_ms,
        };
        (delivery, reader)
    }

    /// Delivers until the shard is settled to its end or `stop`; then what is under way is waited for.
    pub(crate) async fn run(mut self, reader: Reader, stop: CancellationToken) -> Ended {
        let (sender, mut news) = mpsc::channel(1);
        tokio::spawn(reader.run(sender));
        let mut under_way = FuturesUnordered::new();
        let (mut reads, mut is_at_end) = (true, false);
        loop {
            let is_stopped = stop.is_cancelled();
            let mut wake_ms = None;
            if !is_stopped {
                for lane in 0..self.shard.lanes() {
                    wake_ms = earliest(wake_ms, self.advance(lane, &mut under_way));
                }
            }
            self.keep_checkpoint();
            if under_way.is_empty() {
                if is_at_end && self.shard.is_settled() {
                    return Ended::Finished;
                }
                if is_stopped || (!reads && !is_at_end && self.shard.is_settled()) {
                    return Ended::Stopped;
                }
            }
            tokio::select! {
                Some((lane, outcome)) = under_way.next() => {
                    let discarded = self.shard.settle(lane, outcome, clock::now_ms());
                    discarded.into_iter().for_each(|discarded| self.discard(&discarded));
                }
                told = news.recv(), if reads && !is_stopped && self.shard.has_room() => match told {
                    Some(News::Records(records)) => self.take(&records),
                    Some(News::End) => (reads, is_at_end) = (false, true),
                    None => reads = false,
                },
                () = wake(wake_ms) => {}
                () = stop.cancelled(), if !is_stopped => {}
            }
            if !reads {
                self.shard.close();
            }
        }
    }

    fn take(&mut self, records: &[Json]) {
        let now_ms = clock::now_ms();
        let region = &self.mapping.region;
        let filters = &self.mapping.plan.filters;
        for answered in records {
            let Some(record) = Record::read(answered, region, &self.mapping.arn_of(&self.stream_arn)) else {
                self.mapping.console.warn(&format!("the stream {} holds what is no record", self.stream_arn));
                continue;
            };
            let is_recent = record.created_ms >= self.since_ms - self.since_ms.rem_euclid(SECOND_MS);
            let matches = filters.is_empty() || filters.iter().any(|filter| filter.matches(&record.event));
            self.shard.take(record, is_recent && matches, now_ms);
        }
    }

    /// Does what is to be done for a lane; returns when to look again.
    fn advance(
        &mut self,
        lane: usize,
        under_way: &mut FuturesUnordered<BoxFuture<'static, Delivered>>,
    ) -> Option<i64> {
        loop {
            match self.shard.step(lane, clock::now_ms()) {
                Step::Deliver(records) => {
                    let mapping = Arc::clone(&self.mapping);
                    under_way.push(Box::pin(async move { (lane, deliver(&mapping, records).await) }));
                    return None;
                }
                Step::Discard(discarded) => self.discard(&discarded),
                Step::Wait(until) => return until,
            }
        }
    }

    fn discard(&self, discarded: &Discarded) {
        let mapping = &self.mapping;
        let (function, reason) = (&mapping.plan.function, discarded.reason.as_str());
        let count = discarded.records.len();
        let Some(destination) = &mapping.destination else {
            return mapping
                .console
                .warn(&format!("{function}: {count} stream records are dropped: {reason}"));
        };
        let stream_arn = &mapping.arn_of(&self.stream_arn);
        let origin = Origin { function_arn: &mapping.function.arn, stream_arn, shard_id: &self.shard_id };
        let message = on_failure::message(discarded, origin, clock::now_ms());
        match destination.send(&message) {
            Ok(()) => mapping.warn_once(|| {
                let path = destination.path().display();
                format!("{function}: stream records are given up ({reason}): see {path}")
            }),
            Err(fault) => mapping.console.warn(&format!("{function}: {fault:#}: {message}")),
        }
    }

    fn keep_checkpoint(&self) {
        let Some(after) = self.shard.checkpoint() else { return };
        let mut checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(fault) = checkpoints.settle(&self.shard_id, after) {
            self.mapping.console.warn(&format!("{fault:#}"));
        }
    }
}

async fn deliver(mapping: &Mapping, records: Vec<Record>) -> BatchResult {
    let events: Vec<&Json> = records.iter().map(|record| &record.event).collect();
    let event = json!({ "Records": events });
    let patience = mapping.function.timeout + QUEUE_LIMIT;
    match mapping.invoker.invoke(&mapping.plan.function, &event, patience).await {
        Ok(answer) if mapping.plan.rules.reports_failures => judge(&answer, &records),
        Ok(_) => BatchResult::Done,
        Err(InvokeError::Function { .. }) => BatchResult::Failed,
        Err(InvokeError::TimedOut | InvokeError::Unavailable(_)) => BatchResult::Unreached,
    }
}

fn earliest(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// Waits until `until_ms`, or for ever.
async fn wake(until_ms: Option<i64>) {
    let Some(until_ms) = until_ms else { return std::future::pending().await };
    let left_ms = u64::try_from(until_ms - clock::now_ms()).unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(left_ms)).await;
}
