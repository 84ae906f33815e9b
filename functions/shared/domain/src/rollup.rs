//! Rollups: the buckets of every series of one write shard over one aligned span.
//!
//! A minute is built from its reports, any wider span from the next finer rollups. The stored bytes are specified in
//! docs/ROLLUP_ENCODING.md.

mod activity;
mod app_shard;
mod bits;
mod contents;
mod decode;
mod decode_error;
mod encode;
mod encode_error;
mod format;
mod minute_builder;
mod names;
mod number;
mod retention;
mod span;
#[cfg(test)]
mod tests;

pub use activity::{ACTIVE_MS, Activity, Mean};
pub use app_shard::AppShard;
pub use contents::{IncompleteSpans, MAX_ROLLUP_SERIES, MAX_ROLLUP_SOURCES, Rollup, Sources};
pub use decode_error::DecodeError;
pub use encode_error::EncodeError;
pub use format::{ENCODING, MAX_BYTES};
pub use minute_builder::MinuteBuilder;
pub use retention::{AppRetention, InvalidRetention, MAX_RAW_HOURS, MIN_RAW_HOURS, RAW_GRACE_MS, Retention};
pub use span::{CLOCK_SKEW_MS, RollupSpan, due_coarser};
