//! Laws of delivery: the core against random records, functions, accidents and restarts.
//!
//! Nothing is skipped, nothing is acknowledged that the function did not take, no item's changes overtake each other
//! for the first time, and everything ends: acknowledged, too old, or told of as given up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use crate::streams::batch_result::BatchResult;
use crate::streams::ordered_queue::{DiscardReason, Step};
use crate::streams::record::{Record, SequenceNumber};
use crate::streams::shard::Shard;
use crate::template::StreamRules;

const START_MS: i64 = 1_700_000_000_000;
/// Deliveries after which a case that has not come to its end never will.
const DELIVERIES_MAX: usize = 20_000;

/// A record of a case.
#[derive(Clone, Debug)]
struct Change {
    item: u8,
    wanted: bool,
    /// How many deliveries fail because of it, and whether the function says so itself or falls over.
    failures: u32,
    reported: bool,
}

/// One case: rules, records, and what happens between.
#[derive(Clone, Debug)]
struct Case {
    rules: StreamRules,
    seed: Option<u64>,
    changes: Vec<Change>,
    /// Sizes of the pages in which the records are read.
    pages: Vec<usize>,
    /// One delivery in so many does not reach the function.
    unreached_every: Option<usize>,
    /// The poller is killed before these deliveries are settled.
    kills: BTreeSet<usize>,
    /// How far the clock goes on with each delivery.
    tick_ms: i64,
}

fn change() -> impl Strategy<Value = Change> {
    let failures = prop_oneof![4 => Just(0), 2 => 1..4_u32, 1 => Just(u32::MAX)];
    (0..5_u8, prop::bool::weighted(0.8), failures, any::<bool>())
        .prop_map(|(item, wanted, failures, reported)| Change { item, wanted, failures, reported })
}

fn rules() -> impl Strategy<Value = StreamRules> {
    let limits = prop_oneof![
        (0..4_u32).prop_map(|retries| (Some(retries), None)),
        (60..600_u64).prop_map(|seconds| (None, Some(Duration::from_secs(seconds)))),
        (0..4_u32, 60..600_u64).prop_map(|(retries, age)| (Some(retries), Some(Duration::from_secs(age)))),
    ];
    (1..9_usize, 0..5_u64, 1..4_usize, any::<bool>(), any::<bool>(), limits).prop_map(
        |(batch_size, window_s, parallel, reports_failures, bisects, (retries, max_age))| StreamRules {
            batch_size,
            window: Duration::from_secs(window_s),
            parallel,
            reports_failures,
            bisects,
            retries,
            max_age,
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    (
        rules(),
        prop::option::weighted(0.4, any::<u64>()),
        prop::collection::vec(change(), 0..40),
        prop::collection::vec(1..12_usize, 1..6),
        prop::option::weighted(0.3, 2..5_usize),
        prop::collection::btree_set(0..60_usize, 0..4),
        1..5_000_i64,
    )
        .prop_map(|(rules, seed, changes, pages, unreached_every, kills, tick_ms)| Case {
            rules,
            seed,
            changes,
            pages,
            unreached_every,
            kills,
            tick_ms,
        })
}

/// What a case came to, by the records' numbers from 0.
#[derive(Debug, Default)]
struct History {
    /// Each delivery that reached the function.
    deliveries: Vec<Vec<usize>>,
    acknowledged: BTreeSet<usize>,
    discarded: BTreeMap<usize, DiscardReason>,
}

/// A stream, its function and the poller between, with a clock of its own.
struct World<'c> {
    case: &'c Case,
    now_ms: i64,
    shard: Shard,
    /// How many of the records the poller has read.
    read: usize,
    page: usize,
    /// What the function still fails for.
    left: Vec<u32>,
    checkpoint: Option<SequenceNumber>,
    count: usize,
    history: History,
}

fn number(record: &Record) -> usize {
    place(&record.sequence)
}

fn place(sequence: &SequenceNumber) -> usize {
    sequence.as_str().parse().unwrap()
}

impl<'c> World<'c> {
    fn new(case: &'c Case) -> Self {
        let left = case.changes.iter().map(|change| change.failures).collect();
        let shard = Shard::new(&case.rules, case.seed, None);
        Self {
            case,
            now_ms: START_MS,
            shard,
            read: 0,
            page: 0,
            left,
            checkpoint: None,
            count: 0,
            history: History::default(),
        }
    }

    fn run(mut self) -> History {
        loop {
            self.read_page();
            let mut under_way = Vec::new();
            let mut wake_ms: Option<i64> = None;
            for lane in 0..self.shard.lanes() {
                loop {
                    match self.shard.step(lane, self.now_ms) {
                        Step::Deliver(records) => under_way.push((lane, records)),
                        Step::Discard(discarded) => {
                            self.discard(&discarded.records, discarded.reason);
                            continue;
                        }
                        Step::Wait(until) => wake_ms = wake_ms.into_iter().chain(until).min(),
                    }
                    break;
                }
            }
            self.keep_checkpoint();
            if under_way.is_empty() {
                if self.read == self.case.changes.len() && self.shard.is_settled() {
                    return self.history;
                }
                self.now_ms = self.now_ms.max(wake_ms.unwrap_or(self.now_ms)) + 1;
            }
            // The last to be asked is the first to answer.
            for (lane, records) in under_way.into_iter().rev() {
                let killed = self.deliver(lane, &records);
                self.keep_checkpoint();
                if killed {
                    break;
                }
            }
            assert!(self.count < DELIVERIES_MAX, "the case never ends");
        }
    }

    fn read_page(&mut self) {
        if !self.shard.has_room() {
            return;
        }
        let page = self.case.pages[self.page % self.case.pages.len()];
        self.page += 1;
        for (number, change) in self.case.changes.iter().enumerate().skip(self.read).take(page) {
            let record = Record::sample(number as u64, &change.item.to_string(), START_MS);
            self.shard.take(record, change.wanted, self.now_ms);
        }
        self.read = self.case.changes.len().min(self.read + page);
        if self.read == self.case.changes.len() {
            self.shard.close();
        }
    }

    /// Delivers a batch; tells whether the poller was killed before it could note what came of it.
    fn deliver(&mut self, lane: usize, records: &[Record]) -> bool {
        let delivery = self.count;
        self.count += 1;
        self.now_ms += self.case.tick_ms;
        let outcome = match self.case.unreached_every {
            Some(every) if delivery.is_multiple_of(every) => BatchResult::Unreached,
            _ => self.ask(records),
        };
        if self.case.kills.contains(&delivery) {
            self.shard = Shard::new(&self.case.rules, self.case.seed, self.checkpoint.clone());
            self.read = self.checkpoint.as_ref().map_or(0, |checkpoint| place(checkpoint) + 1);
            return true;
        }
        if let Some(discarded) = self.shard.settle(lane, outcome, self.now_ms) {
            self.discard(&discarded.records, discarded.reason);
        }
        false
    }

    /// The function: it fails for each record as often as the case says.
    fn ask(&mut self, records: &[Record]) -> BatchResult {
        self.history.deliveries.push(records.iter().map(number).collect());
        let mut outcome = BatchResult::Done;
        for (place, record) in records.iter().enumerate() {
            let number = number(record);
            if self.left[number] == 0 {
                continue;
            }
            if self.left[number] != u32::MAX {
                self.left[number] -= 1;
            }
            let reported = self.case.rules.reports_failures && self.case.changes[number].reported;
            outcome = if reported { BatchResult::FailedFrom(place) } else { BatchResult::Failed };
            break;
        }
        let done = match outcome {
            BatchResult::Done => records.len(),
            BatchResult::FailedFrom(place) => place,
            BatchResult::Failed | BatchResult::Unreached => 0,
        };
        self.history.acknowledged.extend(records.iter().take(done).map(number));
        outcome
    }

    fn discard(&mut self, records: &[Record], reason: DiscardReason) {
        self.history.discarded.extend(records.iter().map(|record| (number(record), reason)));
    }

    /// The checkpoint never passes a record that is neither acknowledged nor given up, and never goes back.
    fn keep_checkpoint(&mut self) {
        let Some(checkpoint) = self.shard.checkpoint().cloned() else { return };
        if let Some(earlier) = &self.checkpoint {
            assert!(place(&checkpoint) >= place(earlier), "the checkpoint went back");
        }
        for (number, change) in self.case.changes.iter().enumerate().take(place(&checkpoint) + 1) {
            let history = &self.history;
            let settled = history.acknowledged.contains(&number) || history.discarded.contains_key(&number);
            assert!(settled || !change.wanted, "{number} was skipped");
        }
        self.checkpoint = Some(checkpoint);
    }
}

/// Whether each item's changes were delivered in order for the first time.
fn keeps_order(case: &Case, history: &History) -> bool {
    let mut newest: BTreeMap<u8, usize> = BTreeMap::new();
    let expired = |number: &usize| history.discarded.get(number) == Some(&DiscardReason::RecordAgeExceeded);
    let mut seen = BTreeSet::new();
    for number in history.deliveries.iter().flatten() {
        if !seen.insert(*number) {
            continue;
        }
        let item = case.changes[*number].item;
        let earlier = (0..*number).filter(|earlier| case.changes[*earlier].item == item);
        let mut missing = earlier.filter(|earlier| case.changes[*earlier].wanted && !seen.contains(earlier));
        if newest.insert(item, *number).is_some_and(|newest| newest > *number)
            || missing.any(|missing| !expired(&missing))
        {
            return false;
        }
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_record_is_delivered_until_it_is_acknowledged_or_given_up(case in case()) {
        let history = World::new(&case).run();
        for (number, change) in case.changes.iter().enumerate() {
            let delivered = history.deliveries.iter().flatten().any(|delivered| *delivered == number);
            let settled = history.acknowledged.contains(&number) || history.discarded.contains_key(&number);
            prop_assert_eq!(settled, change.wanted, "{}", number);
            prop_assert!(change.wanted || !delivered, "{} was not wanted", number);
            if history.discarded.get(&number) == Some(&DiscardReason::RetryAttemptsExhausted) {
                prop_assert!(delivered, "{} was given up untried", number);
                prop_assert!(case.rules.retries.is_some());
            }
        }
        prop_assert!(keeps_order(&case, &history), "{:?}", history.deliveries);
        let most = history.deliveries.iter().map(Vec::len).max().unwrap_or_default();
        prop_assert!(most <= case.rules.batch_size);
    }

    #[test]
    fn without_failures_each_record_is_delivered_exactly_once(case in case()) {
        let mut case = Case { seed: None, unreached_every: None, kills: BTreeSet::new(), tick_ms: 1, ..case };
        case.changes.iter_mut().for_each(|change| change.failures = 0);
        // Windows that fill slowly may make a record older than that without any failure.
        case.rules.max_age = None;
        let history = World::new(&case).run();
        let mut delivered = history.deliveries.concat();
        delivered.sort_unstable();
        let wanted = case.changes.iter().enumerate().filter(|(_, change)| change.wanted);
        prop_assert_eq!(delivered, wanted.map(|(number, _)| number).collect::<Vec<_>>());
    }
}
