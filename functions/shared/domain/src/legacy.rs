//! The dialect of the published library and its dashboard (docs/PROTOCOL.md, "The library and its dashboard").

pub mod command;
pub mod dedup_window;
pub mod frames;
pub mod logs;
pub mod report;
