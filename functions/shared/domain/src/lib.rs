//! The pure core of the metrics service: what a report is, how a connection converses, how history is made.
//!
//! It decides and returns what to do; it never does it. It knows no AWS, no runtime, no environment and no clock.
//! The words are those of ARCHITECTURE.md's glossary, the wire is docs/PROTOCOL.md.

#![warn(missing_docs)]

pub mod app;
pub mod bucket;
pub mod conversation;
pub mod frame;
pub mod grant;
pub mod history;
pub mod ids;
pub mod legacy;
pub mod memory;
pub mod rate;
pub mod rejection;
pub mod report;
pub mod resolution;
pub mod rollup;
pub mod series;
pub mod stranger;
pub mod time;
pub mod time_span;
pub mod window;
