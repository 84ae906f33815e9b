//! Faults of delivery that DynamoDB and Lambda may have and an embedded engine never has, chosen by a seed.

use fastrand::Rng;

/// Virtual shards that the items of a shard are spread over.
pub(crate) const CHAOS_QUEUES: usize = 4;
/// One in this many batches is delivered again although it succeeded.
const DUPLICATE_ONE_IN: u8 = 5;
/// The longest delay of a new batch, which lets items overtake each other.
const MAX_DELAY_MS: i64 = 400;

/// The faults of one queue.
#[derive(Clone, Debug)]
pub(crate) struct Chaos(Rng);

impl Chaos {
    pub(crate) fn new(seed: u64, queue: usize) -> Self {
        let mut seeds = Rng::with_seed(seed);
        let seed = (0..=queue).fold(seed, |_, _| seeds.u64(..));
        Self(Rng::with_seed(seed))
    }

    /// Whether to deliver a batch again that succeeded.
    pub(crate) fn duplicates(&mut self) -> bool {
        self.0.u8(..DUPLICATE_ONE_IN) == 0
    }

    /// How many of at most `most` records become a batch; at least one.
    pub(crate) fn batch_size(&mut self, most: usize) -> usize {
        self.0.usize(1..=most.max(1))
    }

    pub(crate) fn delay_ms(&mut self) -> i64 {
        self.0.i64(0..=MAX_DELAY_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(seed: u64, queue: usize) -> Vec<(bool, usize, i64)> {
        let mut chaos = Chaos::new(seed, queue);
        (0..50).map(|_| (chaos.duplicates(), chaos.batch_size(10), chaos.delay_ms())).collect()
    }

    #[test]
    fn seed_and_queue_determine_the_faults() {
        assert_eq!(choices(7, 1), choices(7, 1));
        assert_ne!(choices(7, 1), choices(8, 1));
        assert_ne!(choices(7, 1), choices(7, 2));
        let all = choices(7, 0);
        assert!(all.iter().any(|(duplicates, ..)| *duplicates) && all.iter().any(|(again, ..)| !again));
        assert!(all.iter().all(|(_, size, _)| (1..=10).contains(size)));
        assert!(all.iter().any(|(.., delay_ms)| *delay_ms > MAX_DELAY_MS / 2), "items overtake each other");
    }
}
