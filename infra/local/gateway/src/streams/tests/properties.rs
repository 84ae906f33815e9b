//! Properties of delivery with random records, functions, faults and restarts.
//!
//! No record is skipped or acknowledged before the function succeeded, first deliveries of an item's changes are in
//! order, and every record is in the end acknowledged or discarded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use crate::streams::batch_result::BatchResult;
use crate::streams::ordered_queue::{DiscardReason, Discarded, Step};
use crate::streams::record::{Record, SequenceNumber};
use crate::streams::shard::Shard;
use crate::template::StreamRules;

const START_MS: i64 = 1_700_000_000_000;
/// A case with more deliveries than this never ends.
const MAX_DELIVERIES: usize = 20_000;

#[derive(Clone, Debug)]
struct Change {
    item: u8,
    matches: bool,
    /// How many deliveries fail because of it.
    failures: u32,
    /// Whether the function reports the failure, or fails as a whole.
    reported: bool,
}

#[derive(Clone, Debug)]
struct Case {
    rules: StreamRules,
    seed: Option<u64>,
    changes: Vec<Change>,
    page_sizes: Vec<usize>,
    /// One in this many deliveries cannot invoke the function.
    not_invoked_every: Option<usize>,
    /// The gateway is killed before the results of these deliveries are applied.
    kills: BTreeSet<usize>,
    /// How long each delivery takes.
    delivery_ms: i64,
}

prop_compose! {
    fn change()(
        item in 0..5_u8,
        matches in prop::bool::weighted(0.8),
        failures in prop_oneof![4 => Just(0), 2 => 1..4_u32, 1 => Just(u32::MAX)],
        reported in any::<bool>(),
    ) -> Change {
        Change { item, matches, failures, reported }
    }
}

/// A number of retries, a maximum age, or both: without any a case might never end.
fn limits() -> impl Strategy<Value = (Option<u32>, Option<Duration>)> {
    let age = || (60..600_u64).prop_map(|seconds| Some(Duration::from_secs(seconds)));
    let retries = || (0..4_u32).prop_map(Some);
    prop_oneof![(retries(), Just(None)), (Just(None), age()), (retries(), age())]
}

prop_compose! {
    fn rules()(
        batch_size in 1..9_usize,
        window_s in 0..5_u64,
        parallel in 1..4_usize,
        reports_failures in any::<bool>(),
        bisects in any::<bool>(),
        (retries, max_age) in limits(),
    ) -> StreamRules {
        let window = Duration::from_secs(window_s);
        StreamRules { batch_size, window, parallel, reports_failures, bisects, retries, max_age }
    }
}

prop_compose! {
    fn case()(
        rules in rules(),
        seed in prop::option::weighted(0.4, any::<u64>()),
        changes in prop::collection::vec(change(), 0..40),
        page_sizes in prop::collection::vec(1..12_usize, 1..6),
        not_invoked_every in prop::option::weighted(0.3, 2..5_usize),
        kills in prop::collection::btree_set(0..60_usize, 0..4),
        delivery_ms in 1..5_000_i64,
    ) -> Case {
        Case { rules, seed, changes, page_sizes, not_invoked_every, kills, delivery_ms }
    }
}

/// What happened in a case, by the indices of its changes.
#[derive(Debug, Default)]
struct Outcome {
    /// Each delivery that invoked the function.
    deliveries: Vec<Vec<usize>>,
    acknowledged: BTreeSet<usize>,
    discarded: BTreeMap<usize, DiscardReason>,
}

impl Outcome {
    fn is_processed(&self, index: usize) -> bool {
        self.acknowledged.contains(&index) || self.discarded.contains_key(&index)
    }
}

/// A stream, its function and the gateway, with a simulated clock.
struct Simulation<'c> {
    case: &'c Case,
    now_ms: i64,
    shard: Shard,
    /// How many changes the gateway has read.
    read: usize,
    page: usize,
    /// How many deliveries each change will still fail.
    failures_left: Vec<u32>,
    checkpoint: Option<SequenceNumber>,
    deliveries: usize,
    outcome: Outcome,
}

fn index_of(sequence: &SequenceNumber) -> usize {
    sequence.as_str().parse().unwrap()
}

fn indices(records: &[Record]) -> Vec<usize> {
    records.iter().map(|record| index_of(&record.sequence)).collect()
}

impl<'c> Simulation<'c> {
    fn run(case: &'c Case) -> Outcome {
        let mut simulation = Self {
            case,
            now_ms: START_MS,
            shard: Shard::new(&case.rules, case.seed, None),
            read: 0,
            page: 0,
            failures_left: case.changes.iter().map(|change| change.failures).collect(),
            checkpoint: None,
            deliveries: 0,
            outcome: Outcome::default(),
        };
        while !simulation.advance() {
            assert!(simulation.deliveries < MAX_DELIVERIES, "the case never ends");
        }
        simulation.outcome
    }

    /// One round of all queues; true when everything is processed.
    fn advance(&mut self) -> bool {
        self.read_page();
        let mut in_flight = Vec::new();
        let mut wake_ms: Option<i64> = None;
        for queue in 0..self.shard.queues() {
            loop {
                match self.shard.next_step(queue, self.now_ms) {
                    Step::Deliver(records) => in_flight.push((queue, records)),
                    Step::Discard(discarded) => {
                        self.discard(&discarded);
                        continue;
                    }
                    Step::Wait(until_ms) => wake_ms = wake_ms.into_iter().chain(until_ms).min(),
                }
                break;
            }
        }
        self.save_checkpoint();
        if in_flight.is_empty() {
            if self.read == self.case.changes.len() && self.shard.is_empty() {
                return true;
            }
            self.now_ms = self.now_ms.max(wake_ms.unwrap_or(self.now_ms)) + 1;
        }
        // The last batch that was started is the first to finish.
        for (queue, records) in in_flight.into_iter().rev() {
            let was_killed = self.deliver(queue, &records);
            self.save_checkpoint();
            if was_killed {
                break;
            }
        }
        false
    }

    fn read_page(&mut self) {
        if !self.shard.has_room() {
            return;
        }
        let page_size = self.case.page_sizes[self.page % self.case.page_sizes.len()];
        self.page += 1;
        for (index, change) in self.case.changes.iter().enumerate().skip(self.read).take(page_size) {
            let record = Record::sample(index as u64, &change.item.to_string(), START_MS);
            self.shard.push(record, change.matches, self.now_ms);
        }
        self.read = self.case.changes.len().min(self.read + page_size);
        if self.read == self.case.changes.len() {
            self.shard.close();
        }
    }

    /// Delivers a batch; true if the gateway was killed before it applied the result.
    fn deliver(&mut self, queue: usize, records: &[Record]) -> bool {
        let delivery = self.deliveries;
        self.deliveries += 1;
        self.now_ms += self.case.delivery_ms;
        let result = match self.case.not_invoked_every {
            Some(every) if delivery.is_multiple_of(every) => BatchResult::NotInvoked,
            Some(_) | None => self.invoke(records),
        };
        if self.case.kills.contains(&delivery) {
            self.shard = Shard::new(&self.case.rules, self.case.seed, self.checkpoint.clone());
            self.read = self.checkpoint.as_ref().map_or(0, |checkpoint| index_of(checkpoint) + 1);
            return true;
        }
        if let Some(discarded) = self.shard.finish_batch(queue, result, self.now_ms) {
            self.discard(&discarded);
        }
        false
    }

    /// The function, which fails for each change as often as the case defines.
    fn invoke(&mut self, records: &[Record]) -> BatchResult {
        let batch = indices(records);
        let failed = batch.iter().position(|index| self.failures_left[*index] > 0);
        let (result, succeeded) = match failed {
            None => (BatchResult::Succeeded, batch.len()),
            Some(position) => {
                let index = batch[position];
                if self.failures_left[index] != u32::MAX {
                    self.failures_left[index] -= 1;
                }
                if self.case.rules.reports_failures && self.case.changes[index].reported {
                    (BatchResult::FailedFrom(position), position)
                } else {
                    (BatchResult::Failed, 0)
                }
            }
        };
        self.outcome.acknowledged.extend(&batch[..succeeded]);
        self.outcome.deliveries.push(batch);
        result
    }

    fn discard(&mut self, discarded: &Discarded) {
        let indices = indices(&discarded.records);
        self.outcome.discarded.extend(indices.into_iter().map(|index| (index, discarded.reason)));
    }

    /// Checks that the checkpoint never goes back, nor past a record that is unprocessed.
    fn save_checkpoint(&mut self) {
        let Some(checkpoint) = self.shard.checkpoint().cloned() else { return };
        if let Some(earlier) = &self.checkpoint {
            assert!(index_of(&checkpoint) >= index_of(earlier), "the checkpoint went back");
        }
        for (index, change) in self.case.changes.iter().enumerate().take(index_of(&checkpoint) + 1) {
            assert!(self.outcome.is_processed(index) || !change.matches, "{index} was skipped");
        }
        self.checkpoint = Some(checkpoint);
    }
}

/// Whether the first deliveries of each item's changes were in order.
fn is_in_order(case: &Case, outcome: &Outcome) -> bool {
    let mut newest: BTreeMap<u8, usize> = BTreeMap::new();
    let expired = |index: &usize| outcome.discarded.get(index) == Some(&DiscardReason::RecordAgeExceeded);
    let mut delivered = BTreeSet::new();
    for index in outcome.deliveries.iter().flatten() {
        if !delivered.insert(*index) {
            continue;
        }
        let item = case.changes[*index].item;
        let earlier = (0..*index).filter(|earlier| case.changes[*earlier].item == item);
        let mut missing =
            earlier.filter(|earlier| case.changes[*earlier].matches && !delivered.contains(earlier));
        if newest.insert(item, *index).is_some_and(|newest| newest > *index)
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
    fn every_record_is_acknowledged_or_discarded(case in case()) {
        let outcome = Simulation::run(&case);
        for (index, change) in case.changes.iter().enumerate() {
            let delivered = outcome.deliveries.iter().flatten().any(|delivered| *delivered == index);
            prop_assert_eq!(outcome.is_processed(index), change.matches, "{}", index);
            prop_assert!(change.matches || !delivered, "{} does not match the filters", index);
            if outcome.discarded.get(&index) == Some(&DiscardReason::RetryAttemptsExhausted) {
                prop_assert!(delivered, "{} was discarded before its first delivery", index);
                prop_assert!(case.rules.retries.is_some());
            }
        }
        prop_assert!(is_in_order(&case, &outcome), "{:?}", outcome.deliveries);
        let largest = outcome.deliveries.iter().map(Vec::len).max().unwrap_or_default();
        prop_assert!(largest <= case.rules.batch_size);
    }

    #[test]
    fn without_failures_each_record_is_delivered_once(case in case()) {
        let mut case =
            Case { seed: None, not_invoked_every: None, kills: BTreeSet::new(), delivery_ms: 1, ..case };
        case.changes.iter_mut().for_each(|change| change.failures = 0);
        // A window that fills slowly may make a record too old without any failure.
        case.rules.max_age = None;
        let mut delivered = Simulation::run(&case).deliveries.concat();
        delivered.sort_unstable();
        let matching = case.changes.iter().enumerate().filter(|(_, change)| change.matches);
        prop_assert_eq!(delivered, matching.map(|(index, _)| index).collect::<Vec<_>>());
    }
}
