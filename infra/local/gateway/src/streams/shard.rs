//! One shard: its records in ordered queues, and the checkpoint up to which everything is processed.
//!
//! Without I/O, like the queues. After a restart the shard is read from the checkpoint on.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::batch_result::BatchResult;
use super::chaos::{CHAOS_QUEUES, Chaos};
use super::ordered_queue::{Discarded, OrderedQueue, QueuedRecord, Step};
use super::record::{Record, SequenceNumber};
use crate::template::StreamRules;

#[derive(Debug)]
pub(crate) struct Shard {
    queues: Vec<OrderedQueue>,
    /// The last record that was pushed, queued or not.
    read_to: Option<SequenceNumber>,
    next_ordinal: u64,
}

impl Shard {
    /// A shard that is processed up to `after`.
    pub(crate) fn new(rules: &StreamRules, chaos_seed: Option<u64>, after: Option<SequenceNumber>) -> Self {
        let queues = rules.parallel.max(if chaos_seed.is_some() { CHAOS_QUEUES } else { 1 });
        let queue = |index| OrderedQueue::new(rules.clone(), chaos_seed.map(|seed| Chaos::new(seed, index)));
        Self { queues: (0..queues).map(queue).collect(), read_to: after, next_ordinal: 0 }
    }

    pub(crate) fn queues(&self) -> usize {
        self.queues.len()
    }

    /// Queues the next record if it matches the mapping's filters.
    pub(crate) fn push(&mut self, record: Record, matches: bool, now_ms: i64) {
        let before = self.read_to.replace(record.sequence.clone());
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        let queue = self.queue_of(&record);
        if let Some(queue) = self.queues.get_mut(queue).filter(|_| matches) {
            queue.push(QueuedRecord { ordinal, before, read_ms: now_ms, record });
        }
    }

    /// No more records will be pushed.
    pub(crate) fn close(&mut self) {
        self.queues.iter_mut().for_each(OrderedQueue::close);
    }

    /// Whether more records should be read.
    pub(crate) fn has_room(&self) -> bool {
        self.queues.iter().all(OrderedQueue::has_room)
    }

    pub(crate) fn next_step(&mut self, queue: usize, now_ms: i64) -> Step {
        self.queues.get_mut(queue).map_or(Step::Wait(None), |queue| queue.next_step(now_ms))
    }

    /// Applies the result of a queue's batch in flight; returns what is discarded for it.
    pub(crate) fn finish_batch(
        &mut self,
        queue: usize,
        result: BatchResult,
        now_ms: i64,
    ) -> Option<Discarded> {
        self.queues.get_mut(queue)?.finish_batch(result, now_ms)
    }

    /// Whether everything that was pushed is processed.
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.first().is_none())
    }

    /// The last record before the first that is unprocessed.
    pub(crate) fn checkpoint(&self) -> Option<&SequenceNumber> {
        let first = self.queues.iter().filter_map(OrderedQueue::first).min_by_key(|queued| queued.ordinal);
        first.map_or(self.read_to.as_ref(), |queued| queued.before.as_ref())
    }

    /// Changes of one item always go to the same queue, and so stay in order.
    fn queue_of(&self, record: &Record) -> usize {
        let mut hasher = DefaultHasher::new();
        record.item.hash(&mut hasher);
        let queues = u64::try_from(self.queues.len()).unwrap_or(1).max(1);
        usize::try_from(hasher.finish() % queues).unwrap_or_default()
    }
}
