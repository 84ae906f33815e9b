//! The pure core of the metrics service: reports, the conversation of a connection, rollups and history.
//!
//! It has no AWS crate, no runtime, no environment and no clock; effects are a trait that its caller implements.
//! ARCHITECTURE.md has the glossary, docs/PROTOCOL.md the wire.

#![warn(missing_docs)]

pub mod app;
pub mod bounded;
pub mod bucket;
pub mod conversation;
pub mod dialect;
pub mod epoch_unit;
pub mod frame;
pub mod grant;
pub mod history;
pub mod ids;
pub mod isolation;
mod json_error;
pub mod late;
pub mod legacy;
pub mod rate;
pub mod rejection;
pub mod report;
pub mod resolution;
pub mod rollup;
pub mod series;
pub mod time;
pub mod time_span;
pub mod unauthenticated;
pub mod window;
