//! Bounds the bytes of stored rollups that one answer is made of, so that no query costs more than they do, or more memory
//! than a function has.

use std::sync::atomic::{AtomicUsize, Ordering};

use nsl_aws::rollups::StoredRollup;
use nsl_domain::rejection::{Code, Rejection};

/// Most bytes of rollups: more than a week of hours of the largest ones of a write shard, and an eighth of the smallest
/// function's default memory.
pub(crate) const MAX_READ_BYTES: usize = 32 * 1_024 * 1_024;

/// The bytes that the reads of one call have taken.
#[derive(Debug, Default)]
pub(crate) struct ReadBudget(AtomicUsize);

impl ReadBudget {
    /// Takes the bytes of `stored`; false once more than [`MAX_READ_BYTES`] are taken.
    pub(crate) fn take(&self, stored: &StoredRollup) -> bool {
        let bytes = stored.bytes.len();
        self.0.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= MAX_READ_BYTES
    }

    /// All bytes that were taken.
    pub(crate) fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// # Errors
    /// `too_large` if the reads were cut short.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        if self.taken() <= MAX_READ_BYTES {
            return Ok(());
        }
        let message = format!(
            "the rollups of this window are more than {} MB: ask for a shorter span or a longer step",
            MAX_READ_BYTES / (1_024 * 1_024)
        );
        Err(Rejection::new(Code::TooLarge, message))
    }
}
