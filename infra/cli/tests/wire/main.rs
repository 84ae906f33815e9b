//! The commands that speak WebSocket, each as its own process against a service that a test plays.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod agent;
mod send;
mod service;
mod tail;
