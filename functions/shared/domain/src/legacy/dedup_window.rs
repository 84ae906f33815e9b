//! The windows of time within which the two copies of a report that the library sends are found.

use crate::time::TimestampMs;

/// Width of a window, in milliseconds: half of the library's interval, so that no two of its reports share one.
/// It divides a second, so that a window lies within one minute and one hour.
pub const DEDUP_WINDOW_MS: i64 = 500;

/// Largest distance between the timestamps of two copies, in milliseconds. The library sends the second within 9 ms.
pub const MAX_COPY_DISTANCE_MS: i64 = 10;

/// The start of the window of `timestamp`.
pub fn dedup_window(timestamp: TimestampMs) -> TimestampMs {
    timestamp.aligned_to(DEDUP_WINDOW_MS)
}

/// The start of the one other window that may have a copy of a report of `timestamp`. `None` if every instant within
/// [`MAX_COPY_DISTANCE_MS`] lies in its own window, as for 96 % of all timestamps.
pub fn neighbour_window(timestamp: TimestampMs) -> Option<TimestampMs> {
    let own = dedup_window(timestamp);
    let extremes = [timestamp.plus_ms(-MAX_COPY_DISTANCE_MS), timestamp.plus_ms(MAX_COPY_DISTANCE_MS)];
    extremes.into_iter().map(dedup_window).find(|window| *window != own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
    use proptest::prelude::*;

    #[test]
    fn only_the_edges_of_a_window_have_a_neighbour() {
        let start = 1_800_000_000_000;
        let neighbour =
            |offset| neighbour_window(TimestampMs::clamped(start + offset)).map(|window| window.ms() - start);
        assert_eq!([0, 9, 10, 250, 489].map(neighbour), [Some(-500), Some(-500), None, None, None]);
        assert_eq!([490, 499, 500, 509, 510].map(neighbour), [Some(500), Some(500), Some(0), Some(0), None]);
        let with_neighbour = (0..DEDUP_WINDOW_MS).filter(|offset| neighbour(*offset).is_some()).count();
        assert_eq!(with_neighbour, 20, "4 % of a window");
    }

    #[test]
    fn first_window_has_no_neighbour_before_it() {
        assert_eq!(neighbour_window(TimestampMs::clamped(0)), None);
    }

    proptest! {
        #[test]
        fn copies_share_a_window_or_are_neighbours(
            ms in 10_000..253_402_127_000_000_i64, distance_ms in -MAX_COPY_DISTANCE_MS..=MAX_COPY_DISTANCE_MS
        ) {
            let (first, second) = (TimestampMs::clamped(ms), TimestampMs::clamped(ms + distance_ms));
            if dedup_window(first) != dedup_window(second) {
                prop_assert_eq!(neighbour_window(first), Some(dedup_window(second)));
                prop_assert_eq!(neighbour_window(second), Some(dedup_window(first)));
            }
        }

        #[test]
        fn window_lies_in_one_second_minute_and_hour(ms in 0..253_402_127_000_000_i64) {
            let instant = TimestampMs::clamped(ms);
            for width_ms in [SECOND_MS, MINUTE_MS, HOUR_MS] {
                prop_assert_eq!(dedup_window(instant).aligned_to(width_ms), instant.aligned_to(width_ms));
            }
        }
    }
}
