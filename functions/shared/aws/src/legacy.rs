//! What is stored only for the published library and its dashboard.
//!
//! - `sessions`: the legacy part of a session row, and the claim of a rate-limited reply;
//! - `reports`: deduplication of the copies that the library sends;
//! - `processes`, `sources`: the processes of an app; which source a connection is, and how wrong its clock is;
//! - `logs`, `commands`: log entries, and the last command of each switch.

mod commands;
mod logs;
mod processes;
mod reports;
mod sessions;
mod sources;

pub use commands::Commands;
pub use logs::{LogEntries, Logs};
pub use processes::{Named, Processes};
pub use reports::{LegacyFrame, StoreOutcome};
pub use sources::{ReportedSource, WrongClock};
