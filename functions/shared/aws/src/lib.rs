//! The AWS skin: clients, settings, table keys, stores, and the connections API that posts frames to connections.
//!
//! The only crate that names an AWS SDK. It does what the core decided and turns what AWS says into the core's words:
//! "already there", "gone" and "not found" are answers, everything else is a [`fault::Fault`].
//! It knows no frame and no rule. What the rollup function and a repair do alike, computing spans, is here too. Ruled by docs/DATA_MODEL.md.

#![warn(missing_docs)]

pub mod apps;
pub mod audience;
pub mod boot;
pub mod cache;
pub mod clock;
pub mod commands;
pub mod compute;
pub mod connections_api;
pub mod counters;
pub mod erase;
pub mod event;
pub mod fan_out;
pub mod fault;
mod items;
mod keys;
pub mod logs;
pub mod publishers;
pub mod repair;
pub mod reports;
pub mod rollups;
mod rows;
pub mod sessions;
pub mod settings;
pub mod stream;
pub mod subscriptions;
pub mod tables;
pub mod unauthenticated;
