//! One shard: its records spread over lanes, and the checkpoint up to which everything is settled.
//!
//! Pure, like the lanes. A restart reads again from the checkpoint, so whatever is not settled is delivered again.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::batch_result::BatchResult;
use super::chaos::{CHAOS_QUEUES, Chaos};
use super::ordered_queue::{Discarded, OrderedQueue, QueuedRecord, Step};
use super::record::{Record, SequenceNumber};
use crate::template::StreamRules;

/// See the module.
#[derive(Debug)]
pub(crate) struct Shard {
    lanes: Vec<OrderedQueue>,
    /// The last record that was taken, wanted or not.
    read_to: Option<SequenceNumber>,
    next_ordinal: u64,
}

impl Shard {
    /// A shard of which everything up to `after` is settled; `seed` makes its deliveries chaotic.
    pub(crate) fn new(rules: &StreamRules, seed: Option<u64>, after: Option<SequenceNumber>) -> Self {
        let lanes = rules.parallel.max(if seed.is_some() { CHAOS_QUEUES } else { 1 });
        let lane = |number| OrderedQueue::new(rules.clone(), seed.map(|seed| Chaos::new(seed, number)));
        Self { lanes: (0..lanes).map(lane).collect(), read_to: after, next_ordinal: 0 }
    }

    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Takes the next record; one that is not `wanted` is passed over.
    pub(crate) fn take(&mut self, record: Record, wanted: bool, now_ms: i64) {
        let sequence = record.sequence.clone();
        let before = self.read_to.replace(sequence);
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        let lane = self.lane_of(&record);
        if let Some(lane) = self.lanes.get_mut(lane).filter(|_| wanted) {
            lane.take(QueuedRecord { ordinal, before, read_ms: now_ms, record });
        }
    }

    /// Takes that no more records will come.
    pub(crate) fn close(&mut self) {
        self.lanes.iter_mut().for_each(OrderedQueue::close);
    }

    /// Whether more records are of use.
    pub(crate) fn has_room(&self) -> bool {
        self.lanes.iter().all(OrderedQueue::has_room)
    }

    /// What to do with a lane.
    pub(crate) fn step(&mut self, lane: usize, now_ms: i64) -> Step {
        self.lanes.get_mut(lane).map_or(Step::Wait(None), |lane| lane.step(now_ms))
    }

    /// Takes in what became of the batch that a lane had under way.
    pub(crate) fn settle(&mut self, lane: usize, outcome: BatchResult, now_ms: i64) -> Option<Discarded> {
        self.lanes.get_mut(lane)?.settle(outcome, now_ms)
    }

    /// Whether everything that was taken is settled.
    pub(crate) fn is_settled(&self) -> bool {
        self.lanes.iter().all(|lane| lane.first().is_none())
    }

    /// The last record before the first that is not settled.
    pub(crate) fn checkpoint(&self) -> Option<&SequenceNumber> {
        let first = self.lanes.iter().filter_map(OrderedQueue::first).min_by_key(|held| held.ordinal);
        first.map_or(self.read_to.as_ref(), |held| held.before.as_ref())
    }

    /// Changes of one item always share a lane, and so keep their order.
    fn lane_of(&self, record: &Record) -> usize {
        let mut hasher = DefaultHasher::new();
        record.item.hash(&mut hasher);
        let lanes = u64::try_from(self.lanes.len()).unwrap_or(1).max(1);
        usize::try_from(hasher.finish() % lanes).unwrap_or_default()
    }
}
