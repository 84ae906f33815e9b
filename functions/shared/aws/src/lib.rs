//! Everything that calls AWS: clients, settings, table keys, stores, and the API that posts frames to connections.
//!
//! The only crate that names an AWS SDK. "Exists already", "gone" and "not found" are outcomes of a call; every other
//! failure is a [`fault::Fault`]. Tables and their items: docs/DATA_MODEL.md.
//! It also computes rollups, which the rollup function and a repair do alike ([`compute`]).

#![warn(missing_docs)]

pub mod apps;
pub mod audience;
pub mod boot;
pub mod cache;
pub mod clock;
pub mod compute;
pub mod connection_counts;
pub mod connections_api;
pub mod counters;
pub mod deadline;
pub mod erase;
pub mod event;
mod expiry;
mod failed_calls;
pub mod fan_out;
pub mod fault;
pub mod isolation;
mod items;
mod keys;
pub mod legacy;
pub mod logging;
mod observed;
pub mod operator;
pub mod origin_secret;
pub mod publishers;
pub mod repair;
pub mod reports;
pub mod retries;
pub mod rollups;
pub mod sessions;
pub mod settings;
mod stored_proof;
pub mod stream;
pub mod subscriptions;
mod table;
pub mod table_probe;
pub mod unauthenticated;
