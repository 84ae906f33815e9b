//! The `history` function: the HTTP API and the dashboard.
//!
//! - [`event`]: makes events convertible to requests.
//! - [`handler`]: from a request to a response.
//! - [`settings`]: the environment of the function.
//!
//! It is a library so that the benchmark measures the code that the binary runs.

mod call_limit;
mod compress;
mod corrupt_rollup;
pub mod event;
mod fingerprint;
pub mod handler;
mod negotiate;
mod page;
mod query_string;
mod read_budget;
mod read_window;
mod request;
mod respond;
mod rollup_cache;
mod route;
pub mod settings;
#[cfg(test)]
mod tests;
