//! The `rollup` function: recomputes the rollups that stored reports make out of date.
//!
//! - [`handler`]: takes a batch of stream records and returns the first one to retry.
//! - `shard_rollup`: recomputes the spans of one write shard, from minutes up to the day.
//! - `deferral`: what is computed by a later batch, so that one app delays no other.
//! - `app_settings`: an application's own retention and limits.
//! - [`settings`]: the function's environment variables.
//!
//! How one span is computed is in `nsl_aws::compute`, which `nsl repair` uses too. This is a library so that the
//! reference model in `tests/` and the benchmarks run the same code as the binary.

mod app_settings;
mod deferral;
pub mod handler;
pub mod settings;
mod shard_rollup;
