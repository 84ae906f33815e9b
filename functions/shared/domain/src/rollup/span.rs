//! The aligned span of a rollup, and the spans above and below it: minute, ten minutes, hour, day.

use crate::resolution::Resolution;
use crate::time::{SECOND_MS, TimestampMs};
use crate::time_span::TimeSpan;

/// How far the clocks of two function instances may differ. A span is merged into the one above only this long after
/// its end: by then its last writer by any clock has either finished or opened the span above.
pub const CLOCK_SKEW_MS: i64 = 2 * SECOND_MS;

/// The half-open span of one rollup. Ordered from fine to coarse, then by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RollupSpan {
    resolution: Resolution,
    start: TimestampMs,
}

impl RollupSpan {
    /// The span of `resolution` that contains `instant`.
    pub fn containing(resolution: Resolution, instant: TimestampMs) -> Self {
        Self { resolution, start: instant.aligned_to(resolution.ms()) }
    }

    /// Its width.
    pub fn resolution(self) -> Resolution {
        self.resolution
    }

    /// Its first instant.
    pub fn start(self) -> TimestampMs {
        self.start
    }

    /// The first instant after it.
    pub fn end(self) -> TimestampMs {
        self.start.plus_ms(self.resolution.ms())
    }

    /// From its start to its end.
    pub fn time_span(self) -> TimeSpan {
        TimeSpan::new(self.start(), self.end())
    }

    /// Whether `instant` lies in it.
    pub fn contains(self, instant: TimestampMs) -> bool {
        self.time_span().contains(instant)
    }

    /// Whether it has ended at `now`, by this machine's clock.
    pub fn has_ended(self, now: TimestampMs) -> bool {
        self.end() <= now
    }

    /// Whether it has ended at `now` by every machine's clock, so that it may be merged into the span above.
    pub fn is_settled(self, now: TimestampMs) -> bool {
        self.end().plus_ms(CLOCK_SKEW_MS) <= now
    }

    /// The resolution of what it is computed from; `None` for a minute, which is computed from reports.
    pub fn finer(self) -> Option<Resolution> {
        match self.resolution {
            Resolution::Minute => None,
            Resolution::TenMinutes => Some(Resolution::Minute),
            Resolution::Hour => Some(Resolution::TenMinutes),
            Resolution::Day => Some(Resolution::Hour),
        }
    }

    /// The span that is computed from it and its neighbours; `None` for a day.
    pub fn coarser(self) -> Option<Self> {
        let resolution = match self.resolution {
            Resolution::Minute => Resolution::TenMinutes,
            Resolution::TenMinutes => Resolution::Hour,
            Resolution::Hour => Resolution::Day,
            Resolution::Day => return None,
        };
        Some(Self::containing(resolution, self.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_span_settles_a_clock_skew_after_its_end() {
        let minute = RollupSpan::containing(Resolution::Minute, TimestampMs::clamped(61_000));
        assert_eq!((minute.start().ms(), minute.end().ms()), (60_000, 120_000));
        for (offset_ms, ended, settled) in [
            (-1, false, false),
            (0, true, false),
            (CLOCK_SKEW_MS - 1, true, false),
            (CLOCK_SKEW_MS, true, true),
        ] {
            let now = minute.end().plus_ms(offset_ms);
            assert_eq!((minute.has_ended(now), minute.is_settled(now)), (ended, settled), "{offset_ms}");
        }
    }

    proptest! {
        #[test]
        fn each_span_lies_whole_in_the_one_above(ms in 0..4_000_000_000_000_i64) {
            let mut span = RollupSpan::containing(Resolution::Minute, TimestampMs::clamped(ms));
            while let Some(above) = span.coarser() {
                prop_assert!(above.start() <= span.start() && span.end() <= above.end());
                prop_assert_eq!(above.finer(), Some(span.resolution()));
                prop_assert!(above > span);
                span = above;
            }
            prop_assert_eq!(span.resolution(), Resolution::Day);
        }
    }
}
