//! Records of a shard, or of a part of it, that are delivered in order.
//!
//! Decides without I/O what to deliver, when, and what to discard. A record leaves the queue only when it is
//! acknowledged or discarded, and no record overtakes one before it.

use std::collections::VecDeque;

use super::batch_result::BatchResult;
use super::chaos::Chaos;
use super::record::{Record, SequenceNumber};
use crate::clock;
use crate::template::StreamRules;

/// Lambda's limit for an event, less the JSON around its records.
const MAX_BATCH_BYTES: usize = 6 * 1024 * 1024 - r#"{"Records":[]}"#.len();
/// How long a stream keeps a record.
const RETENTION_MS: i64 = 24 * 60 * 60 * 1000;
/// The delay before the first retry. It doubles with each further failure, up to the maximum.
const RETRY_DELAY_MS: i64 = 200;
const MAX_RETRY_DELAY_MS: i64 = 10_000;

/// What to do next with a queue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Deliver these records, then call `finish_batch` with the result.
    Deliver(Vec<Record>),
    /// These records are discarded; call `next_step` again at once.
    Discard(Discarded),
    /// Nothing until this time, or until a record arrives or a batch is finished.
    Wait(Option<i64>),
}

/// Records that will not be delivered any more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Discarded {
    pub(crate) records: Vec<Record>,
    pub(crate) reason: DiscardReason,
    /// How often the function failed for them.
    pub(crate) attempts: u32,
}

/// Lambda's conditions for discarding records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiscardReason {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

impl DiscardReason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Self::RecordAgeExceeded => "RecordAgeExceeded",
        }
    }
}

/// A record that is neither acknowledged nor discarded.
#[derive(Clone, Debug)]
pub(crate) struct QueuedRecord {
    /// Its position among all records of the shard.
    pub(crate) ordinal: u64,
    /// The record before it in the shard: the checkpoint while this record is the first that is unprocessed.
    pub(crate) before: Option<SequenceNumber>,
    pub(crate) read_ms: i64,
    pub(crate) record: Record,
}

/// Records from the front of the queue that are delivered together.
#[derive(Clone, Debug)]
struct Batch {
    records: usize,
    /// How often the function failed.
    attempts: u32,
    /// How often in a row the function could not be invoked.
    not_invoked: u32,
    not_before_ms: i64,
}

#[derive(Debug)]
pub(crate) struct OrderedQueue {
    rules: StreamRules,
    records: VecDeque<QueuedRecord>,
    /// How the first of `records` are batched; the others are not yet.
    batches: VecDeque<Batch>,
    /// Whether the first batch is being delivered.
    is_in_flight: bool,
    /// Whether no more records will arrive.
    is_closed: bool,
    chaos: Option<Chaos>,
}

impl OrderedQueue {
    pub(crate) fn new(rules: StreamRules, chaos: Option<Chaos>) -> Self {
        let (records, batches) = (VecDeque::new(), VecDeque::new());
        Self { rules, records, batches, is_in_flight: false, is_closed: false, chaos }
    }

    pub(crate) fn push(&mut self, record: QueuedRecord) {
        self.records.push_back(record);
    }

    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    /// The first record that is unprocessed.
    pub(crate) fn first(&self) -> Option<&QueuedRecord> {
        self.records.front()
    }

    /// Whether the records that are not batched yet are less than a full batch.
    pub(crate) fn has_room(&self) -> bool {
        !self.is_full_after(self.batches.iter().map(|batch| batch.records).sum())
    }

    pub(crate) fn next_step(&mut self, now_ms: i64) -> Step {
        if self.is_in_flight {
            return Step::Wait(None);
        }
        if self.batches.is_empty() {
            let Some(first) = self.records.front() else { return Step::Wait(None) };
            let window_end_ms = first.read_ms + clock::millis(self.rules.window);
            if now_ms < window_end_ms && !self.is_closed && !self.is_full_after(0) {
                return Step::Wait(Some(window_end_ms));
            }
            self.form_batch(now_ms);
        }
        let Some(batch) = self.batches.front().cloned() else { return Step::Wait(None) };
        if now_ms < batch.not_before_ms {
            return Step::Wait(Some(batch.not_before_ms));
        }
        let expired = self.expired_records(&batch, now_ms);
        if expired > 0 {
            let (records, reason) = (self.remove_first(expired), DiscardReason::RecordAgeExceeded);
            return Step::Discard(Discarded { records, reason, attempts: batch.attempts });
        }
        self.is_in_flight = true;
        Step::Deliver(self.records.iter().take(batch.records).map(|queued| queued.record.clone()).collect())
    }

    /// Applies the result of the batch in flight; returns what is discarded for it.
    pub(crate) fn finish_batch(&mut self, result: BatchResult, now_ms: i64) -> Option<Discarded> {
        self.is_in_flight = false;
        let batch = self.batches.front_mut()?;
        match result {
            BatchResult::Succeeded => {
                let records = batch.records;
                if !self.chaos.as_mut().is_some_and(Chaos::duplicates) {
                    self.remove_first(records);
                }
                None
            }
            BatchResult::NotInvoked => {
                batch.not_invoked += 1;
                batch.not_before_ms = now_ms + retry_delay_ms(batch.not_invoked);
                None
            }
            BatchResult::FailedFrom(succeeded) => {
                let succeeded = succeeded.min(batch.records.saturating_sub(1));
                self.remove_first(succeeded);
                // With bisecting, removing the succeeded records is a split, which does not count as an attempt.
                if self.rules.bisects && succeeded > 0 { None } else { self.fail_first(now_ms) }
            }
            BatchResult::Failed if self.rules.bisects && batch.records > 1 => {
                let second =
                    Batch { records: batch.records.div_ceil(2), not_before_ms: now_ms, ..batch.clone() };
                let first = Batch { records: batch.records / 2, ..second.clone() };
                self.batches.pop_front();
                self.batches.push_front(second);
                self.batches.push_front(first);
                None
            }
            BatchResult::Failed => self.fail_first(now_ms),
        }
    }

    /// Counts a failed attempt of the first batch.
    fn fail_first(&mut self, now_ms: i64) -> Option<Discarded> {
        let batch = self.batches.front_mut()?;
        batch.attempts = batch.attempts.saturating_add(1);
        batch.not_invoked = 0;
        batch.not_before_ms = now_ms + retry_delay_ms(batch.attempts);
        let (attempts, records) = (batch.attempts, batch.records);
        if self.rules.retries.is_none_or(|retries| attempts <= retries) {
            return None;
        }
        let (records, reason) = (self.remove_first(records), DiscardReason::RetryAttemptsExhausted);
        Some(Discarded { records, reason, attempts })
    }

    fn form_batch(&mut self, now_ms: i64) {
        let mut bytes = 0;
        let fitting = self.records.iter().take(self.rules.batch_size).take_while(|queued| {
            bytes += queued.record.bytes;
            bytes <= MAX_BATCH_BYTES
        });
        let mut batch =
            Batch { records: fitting.count().max(1), attempts: 0, not_invoked: 0, not_before_ms: now_ms };
        if let Some(chaos) = &mut self.chaos {
            batch.records = chaos.batch_size(batch.records);
            batch.not_before_ms += chaos.delay_ms();
        }
        self.batches.push_back(batch);
    }

    /// Whether the records after the first `skipped` are a full batch.
    fn is_full_after(&self, skipped: usize) -> bool {
        let rest = || self.records.iter().skip(skipped);
        rest().count() >= self.rules.batch_size
            || rest().map(|queued| queued.record.bytes).sum::<usize>() >= MAX_BATCH_BYTES
    }

    /// How many records at the start of the first batch are too old to be delivered.
    fn expired_records(&self, batch: &Batch, now_ms: i64) -> usize {
        // Without a maximum age a record is retried until the stream no longer has it.
        let retention_ms = (batch.attempts > 0).then_some(RETENTION_MS);
        let Some(max_age_ms) = self.rules.max_age.map(clock::millis).or(retention_ms) else { return 0 };
        let records = self.records.iter().take(batch.records);
        records.take_while(|queued| now_ms.saturating_sub(queued.record.created_ms) > max_age_ms).count()
    }

    /// Removes the first `count` records, all of which belong to the first batch.
    fn remove_first(&mut self, count: usize) -> Vec<Record> {
        if let Some(batch) = self.batches.front_mut() {
            batch.records = batch.records.saturating_sub(count);
            if batch.records == 0 {
                self.batches.pop_front();
            }
        }
        self.records.drain(..count.min(self.records.len())).map(|queued| queued.record).collect()
    }
}

fn retry_delay_ms(failures: u32) -> i64 {
    let doublings = failures.saturating_sub(1).min(16);
    (RETRY_DELAY_MS << doublings).min(MAX_RETRY_DELAY_MS)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RULES: StreamRules = StreamRules {
        batch_size: 4,
        window: Duration::from_secs(10),
        parallel: 1,
        reports_failures: true,
        bisects: false,
        retries: Some(1),
        max_age: None,
    };

    /// A queue with this many records, all created and read at time 0.
    fn queue(rules: StreamRules, records: u64) -> OrderedQueue {
        let mut queue = OrderedQueue::new(rules, None);
        for number in 1..=records {
            let record = Record::sample(number, "a", 0);
            queue.push(QueuedRecord { ordinal: number, before: None, read_ms: 0, record });
        }
        queue
    }

    fn numbers(records: &[Record]) -> Vec<u64> {
        records.iter().map(|record| record.sequence.as_str().parse().unwrap()).collect()
    }

    /// The records delivered at this time; empty if there are none.
    fn delivered(queue: &mut OrderedQueue, now_ms: i64) -> Vec<u64> {
        match queue.next_step(now_ms) {
            Step::Deliver(records) => numbers(&records),
            Step::Discard(_) | Step::Wait(_) => Vec::new(),
        }
    }

    #[test]
    fn batch_is_delivered_when_full_or_after_its_window() {
        assert_eq!(delivered(&mut queue(RULES, 5), 0), [1, 2, 3, 4]);
        let mut short = queue(RULES, 3);
        assert_eq!(short.next_step(0), Step::Wait(Some(10_000)));
        assert!(short.has_room());
        assert_eq!(delivered(&mut short, 10_000), [1, 2, 3]);
        assert_eq!(short.next_step(20_000), Step::Wait(None), "one batch at a time");
        let mut closed = queue(RULES, 1);
        closed.close();
        assert_eq!(delivered(&mut closed, 0), [1]);
        let without_window = StreamRules { window: Duration::ZERO, ..RULES };
        assert_eq!(delivered(&mut queue(without_window, 1), 0), [1]);
    }

    #[test]
    fn batch_fits_into_an_event() {
        let mut queue = queue(StreamRules { batch_size: 10_000, ..RULES }, 3);
        for queued in &mut queue.records {
            queued.record.bytes = MAX_BATCH_BYTES / 2;
        }
        assert_eq!(delivered(&mut queue, 0), [1, 2]);
        queue.finish_batch(BatchResult::Succeeded, 0);
        queue.records[0].record.bytes = MAX_BATCH_BYTES + 1;
        assert_eq!(delivered(&mut queue, 0), [3], "a record that is too large is delivered alone");
    }

    #[test]
    fn retries_are_delayed_and_limited() {
        let mut queue = queue(RULES, 4);
        assert_eq!(delivered(&mut queue, 0), [1, 2, 3, 4]);
        assert_eq!(queue.finish_batch(BatchResult::FailedFrom(1), 0), None);
        assert_eq!(queue.next_step(0), Step::Wait(Some(RETRY_DELAY_MS)));
        assert_eq!(delivered(&mut queue, RETRY_DELAY_MS), [2, 3, 4], "the first record succeeded");
        let discarded = queue.finish_batch(BatchResult::Failed, RETRY_DELAY_MS).unwrap();
        assert_eq!((numbers(&discarded.records), discarded.attempts), (vec![2, 3, 4], 2));
        assert_eq!(discarded.reason, DiscardReason::RetryAttemptsExhausted);
        assert!(queue.first().is_none());
    }

    #[test]
    fn failure_to_invoke_does_not_use_up_a_retry() {
        let mut queue = queue(RULES, 4);
        let mut now_ms = 0;
        for _ in 0..20 {
            assert_eq!(delivered(&mut queue, now_ms).len(), 4);
            assert_eq!(queue.finish_batch(BatchResult::NotInvoked, now_ms), None);
            now_ms += MAX_RETRY_DELAY_MS;
        }
        assert_eq!(delivered(&mut queue, now_ms).len(), 4);
    }

    #[test]
    fn bisecting_does_not_use_up_a_retry() {
        let mut queue = queue(StreamRules { bisects: true, retries: Some(0), ..RULES }, 4);
        assert_eq!(delivered(&mut queue, 0), [1, 2, 3, 4]);
        assert_eq!(queue.finish_batch(BatchResult::Failed, 0), None);
        assert_eq!(delivered(&mut queue, 0), [1, 2]);
        assert_eq!(queue.finish_batch(BatchResult::FailedFrom(1), 0), None, "a partial failure splits too");
        assert_eq!(delivered(&mut queue, 0), [2]);
        assert_eq!(numbers(&queue.finish_batch(BatchResult::Failed, 0).unwrap().records), [2]);
        assert_eq!(delivered(&mut queue, 0), [3, 4]);
    }

    #[test]
    fn records_past_the_maximum_age_are_discarded() {
        let minute = StreamRules { max_age: Some(Duration::from_secs(60)), ..RULES };
        let mut queue = queue(minute, 4);
        queue.records[3].record.created_ms = 30_000;
        let Step::Discard(discarded) = queue.next_step(60_001) else { panic!("three are too old") };
        assert_eq!(numbers(&discarded.records), [1, 2, 3]);
        assert_eq!(discarded.reason, DiscardReason::RecordAgeExceeded);
        assert_eq!(delivered(&mut queue, 60_001), [4]);
    }

    #[test]
    fn without_limits_retries_end_with_the_retention() {
        let mut queue = queue(StreamRules { retries: None, ..RULES }, 4);
        assert_eq!(delivered(&mut queue, RETENTION_MS + 1).len(), 4, "a late start loses nothing");
        assert_eq!(queue.finish_batch(BatchResult::Failed, RETENTION_MS), None);
        let later = queue.next_step(RETENTION_MS + RETRY_DELAY_MS);
        let Step::Discard(discarded) = later else { panic!("the stream no longer has them") };
        assert_eq!((discarded.records.len(), discarded.attempts), (4, 1));
    }

    #[test]
    fn retry_delays_double_up_to_a_maximum() {
        assert_eq!([1, 2, 3, 6, 99].map(retry_delay_ms), [200, 400, 800, 6_400, 10_000]);
    }
}
