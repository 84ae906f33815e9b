//! Late reports: those of a minute that ended some time before they arrived.
//!
//! The rollup function computes the minutes of the present once or twice, however many reports they have. A late report
//! makes it compute an old minute again, and every span above it, so what counts is how many minutes are touched.

use crate::rate::Rate;
use crate::resolution::Resolution;
use crate::rollup::RollupSpan;
use crate::time::{MINUTE_MS, TimestampMs};

/// How long a minute must have ended before a report of it is late, in milliseconds. Publishers that send what they
/// collected in five minutes are on time, and so is the library, whose timestamps are replaced if they are further off.
pub const LATE_AFTER_MS: i64 = 5 * MINUTE_MS;

/// The late minutes that a write shard of an app may touch: two hours of them at once, then an hour of them a minute.
/// A frame has at most a hundred reports, so any frame fits the burst.
pub const LATE_MINUTES: Rate = Rate { per_second: 1, burst: 120 };

/// The minute of a report stamped `timestamp` that arrives at `arrival`, if it is late.
pub fn late_minute(timestamp: TimestampMs, arrival: TimestampMs) -> Option<RollupSpan> {
    let minute = RollupSpan::containing(Resolution::Minute, timestamp);
    (arrival.ms_since(minute.end()) >= LATE_AFTER_MS).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::publish::MAX_BATCH_REPORTS;
    use crate::legacy::report::MAX_LEGACY_SKEW_MS;
    use proptest::prelude::*;

    #[test]
    fn report_is_late_five_minutes_after_its_minute() {
        let start = TimestampMs::clamped(1_800_000_000_000);
        let is_late = |after_ms| late_minute(start.plus_ms(59_999), start.plus_ms(after_ms)).is_some();
        assert_eq!([0, 359_999, 360_000].map(is_late), [false, false, true]);
    }

    #[test]
    fn any_frame_fits_the_burst() {
        assert!(MAX_BATCH_REPORTS <= LATE_MINUTES.burst as usize);
    }

    proptest! {
        #[test]
        fn timestamps_of_the_library_are_never_late(
            arrival_ms in 0..4_000_000_000_000_i64, off_ms in -MAX_LEGACY_SKEW_MS..=MAX_LEGACY_SKEW_MS,
        ) {
            let arrival = TimestampMs::clamped(arrival_ms);
            prop_assert_eq!(late_minute(arrival.plus_ms(off_ms), arrival), None);
        }
    }
}
