//! Constants of the rollup encoding that the encoder and the decoder share (docs/ROLLUP_ENCODING.md).

use sha2::{Digest, Sha256};

/// Version of the encoding, the first byte. Any change to the written bytes needs a new version.
pub const ENCODING: u8 = 1;

/// Most bytes of one rollup. DynamoDB allows 400 KB in an item. A third of it is a hundred times an hour of the
/// library's series, and limits what a query of a week reads and what a hostile publisher can make its owner pay.
pub const MAX_BYTES: usize = 128 * 1_024;

/// Bytes of the SHA-256 that end a rollup, to detect damage.
pub(super) const CHECK_BYTES: usize = 4;

/// Orders of the Exp-Golomb codes, by what they encode. A code is shortest for values near 2^order.
pub(super) mod order {
    pub(crate) const REPORTS: u32 = 10;
    pub(crate) const SOURCES: u32 = 1;
    pub(crate) const ORIGINS: u32 = 0;
    pub(crate) const TIME: u32 = 16;
    pub(crate) const SOURCE: u32 = 1;
    pub(crate) const SERIES: u32 = 5;
    pub(crate) const COUNT: u32 = 8;
    pub(crate) const LEVEL: u32 = 0;
    pub(crate) const BINS: u32 = 4;
    pub(crate) const FIRST_BIN: u32 = 9;
}

/// Bits of the order in which the counts of a sketch's bins are written.
pub(super) const COUNT_ORDER_WIDTH: u32 = 5;
/// Bits of the order in which the gaps between a sketch's bins are written.
pub(super) const GAP_ORDER_WIDTH: u32 = 3;

/// Bits of the hash of a report.
pub(super) const HASH_WIDTH: u32 = 64;

/// Bits of the mark of where the last value of a series is.
pub(super) const LAST_WIDTH: u32 = 2;
/// The last value is the maximum, as in rising counters.
pub(super) const LAST_IS_MAX: u64 = 0;
/// The last value is the minimum.
pub(super) const LAST_IS_MIN: u64 = 1;
/// The last value follows.
pub(super) const LAST_IS_OWN: u64 = 2;

/// The check that ends a rollup whose other bytes are `body`.
pub(super) fn check_of(body: &[u8]) -> impl Iterator<Item = u8> + use<> {
    <[u8; 32]>::from(Sha256::digest(body)).into_iter().take(CHECK_BYTES)
}
