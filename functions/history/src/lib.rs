//! The `history` function: answers history over HTTP.
//!
//! - [`handler`]: a call in, an answer out of rollups and raw reports.
//! - [`settings`]: what the function must be told.
//!
//! It is a library so that the benchmark measures the very code that the binary runs.

mod corrupt_rollup;
pub mod handler;
mod page;
mod read_window;
mod request;
mod respond;
mod rollup_cache;
pub mod settings;
#[cfg(test)]
mod tests;
