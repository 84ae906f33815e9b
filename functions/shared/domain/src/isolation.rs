//! Contains a panic, so that it costs only the report that caused it.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The work panicked. Where it did is logged by the function's panic hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// Does `work`; its panic becomes an error.
///
/// # Errors
/// [`Panicked`]. What `work` was changing by then is to be discarded.
pub fn isolated<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}
