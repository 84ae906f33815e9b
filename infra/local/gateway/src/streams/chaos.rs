//! Accidents of delivery, as DynamoDB and Lambda may have them and an embedded engine by itself never has.
//!
//! Every accident comes from the seed alone, so the same seed makes the same decisions.

/// Virtual shards that a shard's items are spread over.
pub(crate) const CHAOS_QUEUES: usize = 4;
/// One batch in this many is delivered once more although it succeeded.
const AGAIN_ONE_IN: u64 = 5;
/// A fresh batch is held back for up to this long, so that items overtake each other.
const DELAY_MS_MAX: u64 = 400;

/// A source of decisions: SplitMix64 (Steele, Lea and Flood, 2014), which is short and good enough to vary tests.
#[derive(Clone, Debug)]
pub(crate) struct Chaos {
    state: u64,
}

impl Chaos {
    /// The decisions for one lane of one shard.
    pub(crate) fn new(seed: u64, lane: usize) -> Self {
        let mut chaos = Self { state: seed };
        for _ in 0..=lane {
            chaos.state = chaos.next();
        }
        chaos
    }

    /// Whether a batch that succeeded is delivered again.
    pub(crate) fn again(&mut self) -> bool {
        self.next().is_multiple_of(AGAIN_ONE_IN)
    }

    /// How many of the records that could be a batch become one; at least one.
    pub(crate) fn cut(&mut self, most: usize) -> usize {
        let most = u64::try_from(most).unwrap_or(1).max(1);
        usize::try_from(1 + self.next() % most).unwrap_or(1)
    }

    /// How long a fresh batch is held back.
    pub(crate) fn delay_ms(&mut self) -> i64 {
        i64::try_from(self.next() % (DELAY_MS_MAX + 1)).unwrap_or_default()
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(seed: u64, lane: usize) -> Vec<(bool, usize, i64)> {
        let mut chaos = Chaos::new(seed, lane);
        (0..50).map(|_| (chaos.again(), chaos.cut(10), chaos.delay_ms())).collect()
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        assert_eq!(decisions(7, 1), decisions(7, 1));
        assert_ne!(decisions(7, 1), decisions(8, 1));
        assert_ne!(decisions(7, 1), decisions(7, 2));
        let all = decisions(7, 0);
        assert!(all.iter().any(|(again, ..)| *again) && all.iter().any(|(again, ..)| !again));
        assert!(all.iter().all(|(_, cut, _)| (1..=10).contains(cut)));
    }
}
