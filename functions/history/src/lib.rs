//! The `history` function: answers history over HTTP.
//!
//! - [`handler`]: a call in, an answer out of rollups and raw reports.
//! - [`settings`]: what the function must be told.
//!
//! It is a library so that the benchmark measures the very code that the binary runs.

mod call;
mod closed;
mod gather;
pub mod handler;
mod mend;
mod page;
mod respond;
pub mod settings;
#[cfg(test)]
mod tests;
