//! DynamoDB: the embedded engine, a client for any endpoint, and the creation of the template's tables.

mod client;
mod create;
mod engine;
mod open;
mod operations;
mod server;

pub(crate) use client::{Api, CallError, Client};
pub use create::create_tables;
pub use engine::Engine;
