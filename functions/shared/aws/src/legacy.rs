//! What is stored only for the published library and its dashboard.
//!
//! - `sessions`, `admissions`: the legacy part of a session row, claims of replies, programs admitted by their frames;
//! - `reports`: deduplication of the copies that the library sends;
//! - `processes`, `sources`: the processes of an app; which source a connection is, and how wrong its clock is;
//! - `logs`, `commands`: log entries, and the last command of each switch.

mod admissions;
mod commands;
mod logs;
mod processes;
mod reports;
mod sessions;
mod sources;

pub use admissions::{Admissions, FrameAdmission};
pub use commands::Commands;
pub use logs::{LogEntries, Logs};
pub use processes::{Named, Processes};
pub use reports::{LegacyFrame, StoreOutcome};
pub use sources::{ReportedSource, WrongClock};
