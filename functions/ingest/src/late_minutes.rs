//! Limits the late minutes that the reports of a write shard touch (docs/PROTOCOL.md, "Rates"): each makes the rollup
//! function compute that minute again, and the spans above it.

use std::collections::{BTreeMap, BTreeSet};

use nsl_domain::late::LATE_MINUTES;
use nsl_domain::rate::TokenBucket;
use nsl_domain::rollup::RollupSpan;
use nsl_domain::time::{MINUTE_MS, TimestampMs};

/// How long further reports of a counted minute are free, in milliseconds: the rollup function computes it once for all
/// that the stream collects in about a minute.
const FREE_FOR_MS: i64 = MINUTE_MS;

/// The late minutes that one write shard may still touch.
#[derive(Debug)]
pub(crate) struct LateMeter {
    bucket: TokenBucket,
    /// When each minute was counted, within [`FREE_FOR_MS`].
    counted: BTreeMap<RollupSpan, TimestampMs>,
}

impl LateMeter {
    pub(crate) fn full(now: TimestampMs) -> Self {
        Self { bucket: TokenBucket::full(LATE_MINUTES, now), counted: BTreeMap::new() }
    }

    /// Milliseconds from `now` until reports of these minutes are accepted; 0 if they are.
    pub(crate) fn wait_ms(&self, minutes: &BTreeSet<RollupSpan>, now: TimestampMs) -> i64 {
        // `None`: more minutes than the burst. A frame has fewer reports, so this is not expected.
        self.bucket.wait_ms(self.uncounted(minutes, now), now).unwrap_or(MINUTE_MS)
    }

    pub(crate) fn take(&mut self, minutes: &BTreeSet<RollupSpan>, now: TimestampMs) {
        self.bucket.take(self.uncounted(minutes, now), now);
        self.counted.retain(|_, at| is_free(*at, now));
        for minute in minutes {
            self.counted.entry(*minute).or_insert(now);
        }
    }

    fn uncounted(&self, minutes: &BTreeSet<RollupSpan>, now: TimestampMs) -> u32 {
        let is_uncounted =
            |minute: &&RollupSpan| !self.counted.get(*minute).is_some_and(|at| is_free(*at, now));
        u32::try_from(minutes.iter().filter(is_uncounted).count()).unwrap_or(u32::MAX)
    }
}

fn is_free(counted_at: TimestampMs, now: TimestampMs) -> bool {
    now.ms_since(counted_at) < FREE_FOR_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::resolution::Resolution;
    use nsl_test_support::fixtures::now;
    use proptest::prelude::*;

    fn minutes(ages: impl IntoIterator<Item = i64>) -> BTreeSet<RollupSpan> {
        let minute = |age: i64| RollupSpan::containing(Resolution::Minute, now().plus_ms(-age * MINUTE_MS));
        ages.into_iter().map(minute).collect()
    }

    #[test]
    fn counted_minutes_are_free_for_a_minute() {
        let mut meter = LateMeter::full(now());
        meter.take(&minutes(10..130), now());
        assert_eq!(meter.wait_ms(&minutes(10..130), now().plus_ms(59_999)), 0);
        assert_eq!(meter.wait_ms(&minutes(10..131), now()), 1_000);
        assert_eq!(meter.wait_ms(&minutes(10..110), now().plus_ms(FREE_FOR_MS)), 40_000, "sixty are back");
    }

    proptest! {
        #[test]
        fn touched_minutes_are_bounded_by_burst_and_rate(
            frames in prop::collection::vec((0..20_000_i64, prop::collection::vec(6..2_880_i64, 1..100)), 1..80),
        ) {
            let mut meter = LateMeter::full(now());
            let (mut at_ms, mut touched) = (0, 0);
            for (pause_ms, ages) in frames {
                at_ms += pause_ms;
                let (minutes, at) = (minutes(ages), now().plus_ms(at_ms));
                if meter.wait_ms(&minutes, at) > 0 {
                    continue;
                }
                touched += i64::from(meter.uncounted(&minutes, at));
                meter.take(&minutes, at);
                prop_assert!(touched <= 120 + at_ms / 1_000 + 1);
                prop_assert!(meter.counted.len() <= 300, "memory is bounded");
            }
        }
    }
}
