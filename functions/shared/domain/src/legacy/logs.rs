//! Log entries of the library: opaque JSON objects, which may be encrypted.

use crate::frame::packing::pack;

/// Largest log entry in bytes: that of a report, so that an entry fits a frame and an item.
pub const MAX_ENTRY_BYTES: usize = 14 * 1024;

/// Most entries of an app that are shown; the newest are kept.
pub const MAX_SHOWN_ENTRIES: usize = 1_000;

/// Retention of an entry, in milliseconds.
pub const LOG_RETENTION_MS: i64 = 48 * crate::time::HOUR_MS;

/// Bytes of a frame that are not entries, rounded up.
const FRAME_OVERHEAD_BYTES: usize = 200;

/// Groups of `entries` in their order, each small enough for a frame; one empty group if there are none.
pub fn groups(entries: &[String]) -> Vec<&[String]> {
    if entries.is_empty() { vec![entries] } else { pack(entries, FRAME_OVERHEAD_BYTES) }
}
