//! DynamoDB: the embedded engine, and the template's tables in whichever one is used.

mod client;
mod create;
mod engine;
mod open;

pub(crate) use client::{Answer, Api, Client};
pub use create::create_tables;
pub(crate) use engine::DATABASE_FILE;
pub use engine::Engine;
