//! Cells of time, by which the two copies of a report that the library sends twice over are known as one.
//!
//! Owns their width, the distance that copies may have, and which neighbour may hold the other copy.
//! Refuses to know who is de-duplicated. Ruled by design.md §5, "The library's doubles".

use crate::time::TimestampMs;

/// Width of a cell, in milliseconds: half of the library's second, so that of its reports no two share one. It
/// divides a second, so that a cell lies within one minute and one hour, those of every instant in it.
pub const CELL_MS: i64 = 500;

/// Largest distance of the timestamps of two copies, in milliseconds. The library sends the second within 9 ms.
pub const COPY_DISTANCE_MS: i64 = 10;

/// The start of the cell that holds `timestamp`.
pub fn cell_of(timestamp: TimestampMs) -> TimestampMs {
    timestamp.aligned_to(CELL_MS)
}

/// The start of the one other cell in which a copy of a report stamped `timestamp` may stand; `None` where all
/// instants within [`COPY_DISTANCE_MS`] lie in its own, as they do for 96 % of a cell.
pub fn neighbour_of(timestamp: TimestampMs) -> Option<TimestampMs> {
    let own = cell_of(timestamp);
    let reach = [timestamp.plus_ms(-COPY_DISTANCE_MS), timestamp.plus_ms(COPY_DISTANCE_MS)];
    reach.into_iter().map(cell_of).find(|cell| *cell != own)
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
            |offset| neighbour_of(TimestampMs::clamped(start + offset)).map(|cell| cell.ms() - start);
        assert_eq!([0, 9, 10, 250, 489].map(neighbour), [Some(-500), Some(-500), None, None, None]);
        assert_eq!([490, 499, 500, 509, 510].map(neighbour), [Some(500), Some(500), Some(0), Some(0), None]);
        let shared = (0..CELL_MS).filter(|offset| neighbour(*offset).is_some()).count();
        assert_eq!(shared, 20, "4 % of a cell");
    }

    #[test]
    fn the_first_instant_of_all_has_no_neighbour_before_it() {
        assert_eq!(neighbour_of(TimestampMs::clamped(0)), None);
    }

    proptest! {
        #[test]
        fn copies_share_a_cell_or_look_into_each_others(
            ms in 10_000..253_402_300_000_000_i64, apart in -COPY_DISTANCE_MS..=COPY_DISTANCE_MS
        ) {
            let (one, other) = (TimestampMs::clamped(ms), TimestampMs::clamped(ms + apart));
            if cell_of(one) != cell_of(other) {
                prop_assert_eq!(neighbour_of(one), Some(cell_of(other)));
                prop_assert_eq!(neighbour_of(other), Some(cell_of(one)));
            }
        }

        #[test]
        fn a_cell_lies_in_the_second_minute_and_hour_of_its_instants(ms in 0..253_402_300_799_999_i64) {
            let instant = TimestampMs::clamped(ms);
            for width_ms in [SECOND_MS, MINUTE_MS, HOUR_MS] {
                prop_assert_eq!(cell_of(instant).aligned_to(width_ms), instant.aligned_to(width_ms));
            }
        }
    }
}
