//! The gateway from outside: the real program, a fixture template, one function binary that does as it is told.
//!
//! One integration binary, so that it links once. Every test starts a gateway of its own on free ports.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod functions;
mod harness;
mod http;
mod lifecycle;
mod limits;
mod management;
mod startup_errors;
mod streams;
mod websocket;
