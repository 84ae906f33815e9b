//! Cells of time, by which the two copies of a report that the library sends twice over are known as one.
//!
//! Owns their width, the distance that copies may have, and which neighbour may hold the other copy.
//! Refuses to know who is de-duplicated. Ruled by design.md §5, "The library's doubles".

use crate::time::TimestampMs;

/// Width of a cell, in milliseconds: half of the library's second, so that of its reports no two share one. It
/// divides a second, so that a cell lies within one minute and one hour, those of every instant in it.
pub const DEDUP_WINDOW_MS: i64 = 500;

/// Largest distance of the timestamps of two copies, in milliseconds. The library sends the second within 9 ms.
pub const MAX_COPY_DISTANCE_MS: i64 = 10;

/// The start of the cell that holds `timestamp`.
pub fn dedup_window(timestamp: TimestampMs) -> TimestampMs {
    timestamp.aligned_to(DEDUP_WINDOW_MS)
}

/// The start of the one other cell in which a copy of a report stamped `timestamp` may stand; `None` where all
/// instants within [`MAX_COPY_DISTANCE_MS`] lie in its own, as they do for 96 % of a cell.
pub fn neighbour_window(timestamp: TimestampMs) -> Option<TimestampMs> {
    let own = dedup_window(timestamp);
    let reach = [timestamp.plus_ms(-MAX_COPY_DISTANCE_MS), timestamp.plus_ms(MAX_COPY_DISTANCE_MS)];
    reach.into_iter().map(dedup_window).find(|cell| *cell != own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
    use proptest::prelude::*;

    #[test]
    fn the_edges_of_a_cell_have_a_neighbour_and_its_middle_has_none() {
        let start = 1_800_000_000_000;
        let neighbour =
            |offset| neighbour_window(TimestampMs::clamped(start + offset)).map(|cell| cell.ms() - start);
        assert_eq!([0, 9, 10, 250, 489].map(neighbour), [Some(-500), Some(-500), None, None, None]);
        assert_eq!([490, 499, 500, 509, 510].map(neighbour), [Some(500), Some(500), Some(0), Some(0), None]);
        let shared = (0..DEDUP_WINDOW_MS).filter(|offset| neighbour(*offset).is_some()).count();
        assert_eq!(shared, 20, "4 % of a cell");
    }

    #[test]
    fn the_first_instant_of_all_has_no_neighbour_before_it() {
        assert_eq!(neighbour_window(TimestampMs::clamped(0)), None);
    }

    proptest! {
        #[test]
        fn copies_share_a_cell_or_look_into_each_others(
            ms in 10_000..253_402_300_000_000_i64, apart in -MAX_COPY_DISTANCE_MS..=MAX_COPY_DISTANCE_MS
        ) {
            let (one, other) = (TimestampMs::clamped(ms), TimestampMs::clamped(ms + apart));
            if dedup_window(one) != dedup_window(other) {
                prop_assert_eq!(neighbour_window(one), Some(dedup_window(other)));
                prop_assert_eq!(neighbour_window(other), Some(dedup_window(one)));
            }
        }

        #[test]
        fn a_cell_lies_in_the_second_minute_and_hour_of_its_instants(ms in 0..253_402_300_799_999_i64) {
            let instant = TimestampMs::clamped(ms);
            for width_ms in [SECOND_MS, MINUTE_MS, HOUR_MS] {
                prop_assert_eq!(dedup_window(instant).aligned_to(width_ms), instant.aligned_to(width_ms));
            }
        }
    }
}
