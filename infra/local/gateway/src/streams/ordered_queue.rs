//! One ordered sequence of deliveries: a shard, or a part of one that holds whole items.
//!
//! A pure decision core: it holds what is not settled yet and says what to deliver, when, and what to give up.
//! Nothing is forgotten unless it was acknowledged or given up, and nothing overtakes what is before it.

use std::collections::VecDeque;

use super::batch_result::BatchResult;
use super::chaos::Chaos;
use super::record::{Record, SequenceNumber};
use crate::clock;
use crate::template::StreamRules;

/// Lambda's limit for an event, less what stands around its records.
const BATCH_BYTES_MAX: usize = 6 * 1024 * 1024 - r#"{"Records":[]}"#.len();
/// How long a stream keeps a record: after that it cannot be read again.
const RETENTION_MS: i64 = 24 * 60 * 60 * 1000;
/// The pause after a first failure; each further one doubles it, up to the longest.
const PAUSE_MS: i64 = 200;
const PAUSE_MS_MAX: i64 = 10_000;

/// What to do with a lane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Deliver these records, then settle the lane with what came of it.
    Deliver(Vec<Record>),
    /// These records are given up; ask again at once.
    Discard(Discarded),
    /// Nothing until this time, or until something arrives.
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

/// Why records are given up, in Lambda's words.
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

/// A record that is neither acknowledged nor given up.
#[derive(Clone, Debug)]
pub(crate) struct QueuedRecord {
    /// Its place among all records of the shard.
    pub(crate) ordinal: u64,
    /// The record before it in the shard, up to which everything is settled once this one is the first that is not.
    pub(crate) before: Option<SequenceNumber>,
    pub(crate) read_ms: i64,
    pub(crate) record: Record,
}

/// Some of the first records held, which are delivered together.
#[derive(Clone, Debug)]
struct Batch {
    records: usize,
    /// Failures of the function so far.
    attempts: u32,
    /// Failures to reach the function since it was last reached.
    unreached: u32,
    not_before_ms: i64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct OrderedQueue {
    rules: StreamRules,
    held: VecDeque<QueuedRecord>,
    /// How the first of `held` are cut; what follows them is not cut yet.
    batches: VecDeque<Batch>,
    /// Whether the first batch is being delivered.
    in_flight: bool,
    /// Whether no more records will arrive.
    closed: bool,
    chaos: Option<Chaos>,
}

impl OrderedQueue {
    pub(crate) fn new(rules: StreamRules, chaos: Option<Chaos>) -> Self {
        Self {
            rules,
            held: VecDeque::new(),
            batches: VecDeque::new(),
            in_flight: false,
            closed: false,
            chaos,
        }
    }

    pub(crate) fn take(&mut self, held: QueuedRecord) {
        self.held.push_back(held);
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// The first record that is not settled.
    pub(crate) fn first(&self) -> Option<&QueuedRecord> {
        self.held.front()
    }

    /// Whether it holds less than a full batch beyond those that are cut already.
    pub(crate) fn has_room(&self) -> bool {
        !self.is_full(self.cut_records())
    }

    pub(crate) fn step(&mut self, now_ms: i64) -> Step {
        if self.in_flight {
            return Step::Wait(None);
        }
        if self.batches.is_empty()
            && let Err(until) = self.cut(now_ms)
        {
            return Step::Wait(until);
        }
        let Some(batch) = self.batches.front() else { return Step::Wait(None) };
        if now_ms < batch.not_before_ms {
            return Step::Wait(Some(batch.not_before_ms));
        }
        let (attempts, records) = (batch.attempts, batch.records);
        let expired = self.expired(now_ms);
        if expired > 0 {
            let records = self.settle_first(expired);
            return Step::Discard(Discarded { records, reason: DiscardReason::RecordAgeExceeded, attempts });
        }
        self.in_flight = true;
        Step::Deliver(self.held.iter().take(records).map(|held| held.record.clone()).collect())
    }

    /// Takes in what became of the batch under way; returns what is given up for it.
    pub(crate) fn settle(&mut self, outcome: BatchResult, now_ms: i64) -> Option<Discarded> {
        self.in_flight = false;
        let batch = self.batches.front()?.clone();
        match outcome {
            BatchResult::Done => {
                if !self.chaos.as_mut().is_some_and(Chaos::again) {
                    self.settle_first(batch.records);
                }
                None
            }
            BatchResult::Unreached => {
                let batch = self.batches.front_mut()?;
                batch.unreached += 1;
                batch.not_before_ms = now_ms + pause_ms(batch.unreached);
                None
            }
            BatchResult::FailedFrom(done) => {
                self.settle_first(done.min(batch.records.saturating_sub(1)));
                // With bisecting on, what was done is a split, which uses up no retry.
                if self.rules.bisects && done > 0 { None } else { self.failed(now_ms) }
            }
            BatchResult::Failed if self.rules.bisects && batch.records > 1 => {
                let first = batch.records / 2;
                self.batches.pop_front();
                for records in [batch.records - first, first] {
                    self.batches.push_front(Batch { records, not_before_ms: now_ms, ..batch.clone() });
                }
                None
            }
            BatchResult::Failed => self.failed(now_ms),
        }
    }

    /// Counts a failure of the first batch.
    fn failed(&mut self, now_ms: i64) -> Option<Discarded> {
        let batch = self.batches.front_mut()?;
        batch.attempts = batch.attempts.saturating_add(1);
        batch.unreached = 0;
        batch.not_before_ms = now_ms + pause_ms(batch.attempts);
        let (attempts, records) = (batch.attempts, batch.records);
        if self.rules.retries.is_none_or(|most| attempts <= most) {
            return None;
        }
        let records = self.settle_first(records);
        Some(Discarded { records, reason: DiscardReason::RetryAttemptsExhausted, attempts })
    }

    /// Cuts a batch if there is enough for one, else tells when there will be whatever arrives.
    fn cut(&mut self, now_ms: i64) -> Result<(), Option<i64>> {
        let Some(first) = self.held.front() else { return Err(None) };
        let due_ms = first.read_ms + clock::millis(self.rules.window);
        if now_ms < due_ms && !self.closed && !self.is_full(0) {
            return Err(Some(due_ms));
        }
        let mut records = self.fitting();
        let mut not_before_ms = now_ms;
        if let Some(chaos) = &mut self.chaos {
            records = chaos.cut(records);
            not_before_ms += chaos.delay_ms();
        }
        self.batches.push_back(Batch { records, attempts: 0, unreached: 0, not_before_ms });
        Ok(())
    }

    /// How many of the first records fit into one batch; at least one.
    fn fitting(&self) -> usize {
        let mut bytes = 0;
        let fits = self.held.iter().take(self.rules.batch_size).take_while(|held| {
            bytes += held.record.bytes;
            bytes <= BATCH_BYTES_MAX
        });
        fits.count().max(1)
    }

    /// Whether what is held beyond the first `skipped` records is a full batch.
    fn is_full(&self, skipped: usize) -> bool {
        let rest = || self.held.iter().skip(skipped);
        rest().count() >= self.rules.batch_size
            || rest().map(|held| held.record.bytes).sum::<usize>() >= BATCH_BYTES_MAX
    }

    fn cut_records(&self) -> usize {
        self.batches.iter().map(|batch| batch.records).sum()
    }

    /// How many of the first batch's first records are too old to be delivered.
    fn expired(&self, now_ms: i64) -> usize {
        let Some(batch) = self.batches.front() else { return 0 };
        // Without a limit of its own a record is lost only where it cannot be read again.
        let retention = (batch.attempts > 0).then_some(RETENTION_MS);
        let Some(limit) = self.rules.max_age.map(clock::millis).or(retention) else { return 0 };
        let first = self.held.iter().take(batch.records);
        first.take_while(|held| now_ms.saturating_sub(held.record.created_ms) > limit).count()
    }

    /// Takes off the first `records`, all of which belong to the first batch.
    fn settle_first(&mut self, records: usize) -> Vec<Record> {
        if let Some(batch) = self.batches.front_mut() {
            batch.records = batch.records.saturating_sub(records);
            if batch.records == 0 {
                self.batches.pop_front();
            }
        }
        self.held.drain(..records.min(self.held.len())).map(|held| held.record).collect()
    }
}

fn pause_ms(failures: u32) -> i64 {
    let doublings = failures.saturating_sub(1).min(16);
    (PAUSE_MS << doublings).min(PAUSE_MS_MAX)
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

    /// A lane with so many records, all read and made at time 0.
    fn lane(rules: StreamRules, records: u64) -> OrderedQueue {
        let mut lane = OrderedQueue::new(rules, None);
        for number in 1..=records {
            let record = Record::sample(number, "a", 0);
            lane.take(QueuedRecord { ordinal: number, before: None, read_ms: 0, record });
        }
        lane
    }

    fn numbers(records: &[Record]) -> Vec<u64> {
        records.iter().map(|record| record.sequence.as_str().parse().unwrap()).collect()
    }

    /// What is delivered at this time; empty where nothing is.
    fn delivered(lane: &mut OrderedQueue, now_ms: i64) -> Vec<u64> {
        match lane.step(now_ms) {
            Step::Deliver(records) => numbers(&records),
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_batch_goes_when_it_is_full_or_its_window_is_over() {
        assert_eq!(delivered(&mut lane(RULES, 5), 0), [1, 2, 3, 4]);
        let mut short = lane(RULES, 3);
        assert_eq!(short.step(0), Step::Wait(Some(10_000)));
        assert!(short.has_room());
        assert_eq!(delivered(&mut short, 10_000), [1, 2, 3]);
        assert_eq!(short.step(20_000), Step::Wait(None), "one batch at a time");
        let mut closed = lane(RULES, 1);
        closed.close();
        assert_eq!(delivered(&mut closed, 0), [1]);
        let unhurried = StreamRules { window: Duration::ZERO, ..RULES };
        assert_eq!(delivered(&mut lane(unhurried, 1), 0), [1]);
    }

    #[test]
    fn a_batch_holds_no_more_than_an_event_may() {
        let mut lane = lane(StreamRules { batch_size: 10_000, ..RULES }, 3);
        for held in &mut lane.held {
            held.record.bytes = BATCH_BYTES_MAX / 2;
        }
        assert_eq!(delivered(&mut lane, 0), [1, 2]);
        lane.settle(BatchResult::Done, 0);
        lane.held[0].record.bytes = BATCH_BYTES_MAX + 1;
        assert_eq!(delivered(&mut lane, 0), [3], "what is too large alone goes alone");
    }

    #[test]
    fn retries_pause_and_end() {
        let mut lane = lane(RULES, 4);
        assert_eq!(delivered(&mut lane, 0), [1, 2, 3, 4]);
        assert_eq!(lane.settle(BatchResult::FailedFrom(1), 0), None);
        assert_eq!(lane.step(0), Step::Wait(Some(PAUSE_MS)));
        assert_eq!(delivered(&mut lane, PAUSE_MS), [2, 3, 4], "what was before is done");
        let discarded = lane.settle(BatchResult::Failed, PAUSE_MS).unwrap();
        assert_eq!((numbers(&discarded.records), discarded.attempts), (vec![2, 3, 4], 2));
        assert_eq!(discarded.reason, DiscardReason::RetryAttemptsExhausted);
        assert!(lane.first().is_none());
    }

    #[test]
    fn what_does_not_reach_the_function_uses_up_no_retry() {
        let mut lane = lane(RULES, 4);
        let mut now_ms = 0;
        for _ in 0..20 {
            assert_eq!(delivered(&mut lane, now_ms).len(), 4);
            assert_eq!(lane.settle(BatchResult::Unreached, now_ms), None);
            now_ms += PAUSE_MS_MAX;
        }
        assert_eq!(delivered(&mut lane, now_ms).len(), 4);
    }

    #[test]
    fn bisecting_halves_without_using_up_a_retry() {
        let mut lane = lane(StreamRules { bisects: true, retries: Some(0), ..RULES }, 4);
        assert_eq!(delivered(&mut lane, 0), [1, 2, 3, 4]);
        assert_eq!(lane.settle(BatchResult::Failed, 0), None);
        assert_eq!(delivered(&mut lane, 0), [1, 2]);
        assert_eq!(lane.settle(BatchResult::FailedFrom(1), 0), None, "a report is a split too");
        assert_eq!(delivered(&mut lane, 0), [2]);
        assert_eq!(numbers(&lane.settle(BatchResult::Failed, 0).unwrap().records), [2]);
        assert_eq!(delivered(&mut lane, 0), [3, 4]);
    }

    #[test]
    fn old_records_are_given_up_before_they_are_delivered() {
        let minute = StreamRules { max_age: Some(Duration::from_secs(60)), ..RULES };
        let mut lane = lane(minute, 4);
        lane.held[3].record.created_ms = 30_000;
        let Step::Discard(discarded) = lane.step(60_001) else { panic!("three are too old") };
        assert_eq!(
            (numbers(&discarded.records), discarded.reason),
            (vec![1, 2, 3], DiscardReason::RecordAgeExceeded)
        );
        assert_eq!(delivered(&mut lane, 60_001), [4]);
    }

    #[test]
    fn without_a_limit_retries_end_with_the_streams_retention() {
        let mut lane = lane(StreamRules { retries: None, ..RULES }, 4);
        assert_eq!(delivered(&mut lane, RETENTION_MS + 1).len(), 4, "a late start loses nothing");
        assert_eq!(lane.settle(BatchResult::Failed, RETENTION_MS), None);
        let later = lane.step(RETENTION_MS + PAUSE_MS);
        let Step::Discard(discarded) = later else { panic!("they could not be read again") };
        assert_eq!((discarded.records.len(), discarded.attempts), (4, 1));
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        assert_eq!([1, 2, 3, 6, 99].map(pause_ms), [200, 400, 800, 6_400, 10_000]);
    }
}
