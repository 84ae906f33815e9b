//! Contains a panic: it becomes a fault of the one report, frame, query or record that was being handled.
//!
//! The rest of the invocation, the connection and the function instance go on. The panic itself is logged and counted by
//! the hook that `logging::init` sets.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::fault::{Fault, Kind};

/// Completes `work`; its panic becomes a fault of what was attempted.
///
/// What `work` shares with others stays usable: locks are released and not poisoned, and each change under a lock is
/// one call of a cache or a limiter.
///
/// # Errors
/// A [`Fault`] of the kind [`Kind::Panicked`].
pub async fn isolated<T>(attempt: &'static str, work: impl Future<Output = T>) -> Result<T, Fault> {
    let caught = AssertUnwindSafe(work).catch_unwind().await;
    caught.map_err(|_| Fault { kind: Kind::Panicked, attempt, source: None })
}
