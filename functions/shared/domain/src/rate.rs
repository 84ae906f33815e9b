//! Token buckets. Levels are whole thousandths of a token, so that nothing is lost to rounding; time that runs
//! backwards fills nothing.

use crate::time::TimestampMs;

/// Parts of one token: a bucket of `n` a second gains `n` of them each millisecond.
const PARTS: i64 = 1_000;

/// How fast a bucket fills, and its capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Tokens added in a second; more than none.
    pub per_second: u32,
    /// Most tokens in it.
    pub burst: u32,
}

/// A bucket of tokens that fills at a [`Rate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBucket {
    rate: Rate,
    /// Thousandths of a token at `at`.
    level: i64,
    at: TimestampMs,
}

impl TokenBucket {
    /// A full bucket.
    pub fn full(rate: Rate, now: TimestampMs) -> Self {
        Self { rate, level: i64::from(rate.burst) * PARTS, at: now }
    }

    /// Milliseconds from `now` until it has `count` tokens: 0 if it has, `None` if it never will.
    pub fn wait_ms(&self, count: u32, now: TimestampMs) -> Option<i64> {
        if count > self.rate.burst {
            return None;
        }
        let missing = i64::from(count) * PARTS - self.level_at(now);
        let per_ms = i64::from(self.rate.per_second.max(1));
        Some(if missing <= 0 { 0 } else { (missing + per_ms - 1) / per_ms })
    }

    /// Takes `count` tokens, or all if there are fewer.
    pub fn take(&mut self, count: u32, now: TimestampMs) {
        self.level = (self.level_at(now) - i64::from(count) * PARTS).max(0);
        self.at = self.at.max(now);
    }

    /// Returns `count` unused tokens, up to the burst.
    pub fn put_back(&mut self, count: u32) {
        let full = i64::from(self.rate.burst) * PARTS;
        self.level = self.level.saturating_add(i64::from(count) * PARTS).min(full);
    }

    fn level_at(&self, now: TimestampMs) -> i64 {
        let gained = now.ms_since(self.at).max(0).saturating_mul(i64::from(self.rate.per_second));
        self.level.saturating_add(gained).min(i64::from(self.rate.burst) * PARTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(offset_ms: i64) -> TimestampMs {
        TimestampMs::EXAMPLE.plus_ms(offset_ms)
    }

    #[test]
    fn burst_passes_and_then_the_rate() {
        let mut bucket = TokenBucket::full(Rate { per_second: 10, burst: 20 }, at(0));
        assert_eq!(bucket.wait_ms(20, at(0)), Some(0));
        bucket.take(20, at(0));
        assert_eq!(bucket.wait_ms(1, at(0)), Some(100));
        assert_eq!(bucket.wait_ms(1, at(99)), Some(1));
        assert_eq!(bucket.wait_ms(1, at(100)), Some(0));
        assert_eq!(bucket.wait_ms(21, at(100_000)), None);
    }

    #[test]
    fn returned_tokens_may_be_taken_again_up_to_the_burst() {
        let mut bucket = TokenBucket::full(Rate { per_second: 10, burst: 20 }, at(0));
        bucket.take(15, at(0));
        bucket.put_back(10);
        assert_eq!((bucket.wait_ms(15, at(0)), bucket.wait_ms(16, at(0))), (Some(0), Some(100)));
        bucket.put_back(u32::MAX);
        assert_eq!((bucket.wait_ms(20, at(0)), bucket.wait_ms(21, at(0))), (Some(0), None));
    }

    fn any_rate() -> impl Strategy<Value = Rate> {
        (1..2_000_u32, 1..5_000_u32).prop_map(|(per_second, burst)| Rate { per_second, burst })
    }

    proptest! {
        #[test]
        fn no_span_passes_more_than_burst_and_rate(
            rate in any_rate(),
            uses in prop::collection::vec((0..2_000_i64, 1..200_u32), 1..60),
        ) {
            let mut bucket = TokenBucket::full(rate, at(0));
            let (mut now, mut passed) = (0, 0_i64);
            for (pause, count) in uses {
                now += pause;
                if bucket.wait_ms(count, at(now)) == Some(0) {
                    bucket.take(count, at(now));
                    passed += i64::from(count);
                }
                let most = i64::from(rate.burst) * PARTS + now * i64::from(rate.per_second);
                prop_assert!(passed * PARTS <= most);
            }
        }

        #[test]
        fn returned_wait_is_enough_and_not_too_long(
            rate in any_rate(), spent in 0..5_000_u32, count in 1..5_000_u32,
        ) {
            let mut bucket = TokenBucket::full(rate, at(0));
            bucket.take(spent.min(rate.burst), at(0));
            match bucket.wait_ms(count, at(0)) {
                None => prop_assert!(count > rate.burst),
                Some(0) => {}
                Some(wait) => {
                    prop_assert_eq!(bucket.wait_ms(count, at(wait)), Some(0));
                    prop_assert_ne!(bucket.wait_ms(count, at(wait - 1)), Some(0));
                }
            }
        }

        #[test]
        fn backward_time_fills_nothing(rate in any_rate(), back in 0..100_000_i64) {
            let mut bucket = TokenBucket::full(rate, at(0));
            bucket.take(rate.burst, at(0));
            bucket.take(0, at(-back));
            prop_assert_ne!(bucket.wait_ms(1, at(0)), Some(0));
        }
    }
}
