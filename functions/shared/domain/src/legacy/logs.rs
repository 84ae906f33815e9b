//! Log entries packed into frames.
//!
//! Owns the packing: an array of entries below 30 KB a frame, none left out and none changed. Refuses to look into an
//! entry: it is the library's, and may be encrypted. Ruled by protocol.md §2.

use crate::frame::limits::MAX_OUTBOUND_BYTES;

/// Largest log entry in bytes; as large as a report may be, so that each fits a frame and an item with others.
pub const MAX_ENTRY_BYTES: usize = 14 * 1024;

/// Most entries of an application that are shown: the newest.
pub const MAX_SHOWN_ENTRIES: usize = 1_000;

/// How long an entry is kept, in milliseconds.
pub const LOG_RETENTION_MS: i64 = 48 * crate::time::HOUR_MS;

/// Bytes of a frame that are not entries, with room to spare.
const FRAME_OVERHEAD_BYTES: usize = 200;

/// Groups of `entries` in their order, each small enough for a frame; one empty group where there are none.
pub fn groups(entries: &[String]) -> Vec<&[String]> {
    let mut groups = Vec::new();
    let mut rest = entries;
    while !rest.is_empty() {
        let (group, left) = rest.split_at(count_that_fits(rest).clamp(1, rest.len()));
        groups.push(group);
        rest = left;
    }
    if groups.is_empty() {
        groups.push(entries);
    }
    groups
}

/// How many of the first entries fit one frame.
fn count_that_fits(entries: &[String]) -> usize {
    // An array has two brackets and one comma less than it has entries.
    let mut room = MAX_OUTBOUND_BYTES - FRAME_OVERHEAD_BYTES - 1;
    let fits = entries.iter().take_while(|entry| {
        let bytes = entry.len() + 1;
        let has_room = bytes <= room;
        room = room.saturating_sub(bytes);
        has_room
    });
    fits.count()
}

/// `entries`, each a JSON object, as one JSON array.
pub fn array(entries: &[String]) -> String {
    format!("[{}]", entries.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_entry_is_an_empty_array_and_not_nothing() {
        assert_eq!(groups(&[]).into_iter().map(array).collect::<Vec<_>>(), ["[]"]);
    }

    proptest! {
        #[test]
        fn every_entry_is_in_one_group_in_order_and_each_group_fits(
            sizes in prop::collection::vec(0..MAX_ENTRY_BYTES - 9, 1..60)
        ) {
            let entries: Vec<String> =
                sizes.iter().map(|size| format!("{{\"a\":\"{}\"}}", "x".repeat(*size))).collect();
            let groups = groups(&entries);
            let fits = |group: &&[String]| {
                array(group).len() + FRAME_OVERHEAD_BYTES <= MAX_OUTBOUND_BYTES && !group.is_empty()
            };
            prop_assert!(groups.iter().all(fits));
            prop_assert_eq!(groups.concat(), entries);
        }
    }
}
