//! The aligned span of a rollup, and the spans above and below it: minute, ten minutes, hour, day.

use std::collections::BTreeSet;

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

/// The coarser spans to recompute at `now` once `spans` are recomputed: those above the spans that have ended.
///
/// A span that is still running is not merged into those above it. This saves most writes: an hour is written as often
/// as its ten-minute spans end, not once a minute.
pub fn due_coarser(spans: &BTreeSet<RollupSpan>, now: TimestampMs) -> BTreeSet<RollupSpan> {
    spans.iter().filter(|span| span.has_ended(now)).filter_map(|span| span.coarser()).collect()
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

    #[test]
    fn only_ended_spans_make_coarser_ones_due() {
        let minute = |minutes: i64| {
            RollupSpan::containing(
                Resolution::Minute,
                TimestampMs::clamped(minutes * Resolution::Minute.ms()),
            )
        };
        let spans = BTreeSet::from([minute(9), minute(10), minute(19), minute(20)]);
        let due = |now: i64| {
            let now = TimestampMs::clamped(now * Resolution::Minute.ms());
            due_coarser(&spans, now).into_iter().map(|span| span.start()).collect::<Vec<_>>()
        };
        let ten = |index: i64| TimestampMs::clamped(index * Resolution::TenMinutes.ms());
        assert!(due(9).is_empty());
        assert_eq!(due(10), [ten(0)]);
        assert_eq!(due(20), [ten(0), ten(1)]);
        assert_eq!(due(21), [ten(0), ten(1), ten(2)]);
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
