//! Tests of the gateway's program with a fixture template and one function binary that follows its events.
//!
//! One binary, so that it links once. Every test starts its own gateway on free ports.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod foreign_callers;
mod functions;
mod harness;
mod http;
mod lifecycle;
mod limits;
mod management;
mod split_stream;
mod startup_errors;
mod streams;
mod websocket;
