//! Everything that only the published library and its dashboard need. They cannot be changed; they repeat themselves,
//! and some replies kill their processes, so most of this is about when not to answer.

pub(crate) mod auth;
pub mod command;
pub(crate) mod conversation;
pub mod dedup_window;
pub mod frames;
pub mod logs;
pub mod report;
pub(crate) mod request_flow;
pub mod session;

#[cfg(test)]
mod hour;
#[cfg(test)]
mod tests;
