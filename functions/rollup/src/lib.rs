//! The `rollup` function: keeps the rollups in step with the stored reports.
//!
//! - [`handler`]: a batch of stream records in, the first one that is not done out.
//! - [`compute`]: one span anew from what is below it.
//! - `terms`: what an application sets of its own, retention and limits.
//! - [`settings`]: what the function must be told.
//!
//! It is a library so that the reference model in `tests/` runs the very code that the binary runs.

pub mod compute;
pub mod handler;
pub mod settings;
mod terms;
