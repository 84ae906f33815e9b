//! The `rollup` function: keeps the rollups in step with the stored reports.
//!
//! - [`handler`]: a batch of stream records in, the first one that is not done out.
//! - `spans`: what of one app-shard is out of date, in its order; several app-shards at a time.
//! - `terms`: what an application sets of its own, retention and limits.
//! - [`settings`]: what the function must be told.
//!
//! How one span is computed from what is below it stands in `nsl_aws::compute`, for a repair does the same.
//! It is a library so that the reference model in `tests/` and the benchmark run the very code that the binary runs.

pub mod handler;
pub mod settings;
mod spans;
mod terms;
