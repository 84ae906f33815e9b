//! Everything that only the published library and its dashboard need (docs/PROTOCOL.md, "The library and its
//! dashboard"). They cannot be changed, they repeat their frames, and some replies crash them: much of this module
//! decides when not to answer.

pub mod admission;
mod auth;
mod claim;
pub mod command;
pub mod context;
mod conversation;
pub mod dedup_window;
pub mod effects;
pub mod frames;
pub mod ids;
mod log_flow;
pub mod logs;
pub mod notice;
mod permission;
pub mod process;
pub mod refusals;
pub mod report;
mod request_flow;
pub mod session;

pub use conversation::converse;

#[cfg(test)]
pub(crate) mod tests;
