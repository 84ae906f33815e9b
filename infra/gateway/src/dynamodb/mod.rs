//! DynamoDB: the embedded engine, and the template's tables in whichever one is used.

mod create;
mod engine;

pub use create::create_tables;
pub(crate) use engine::DATABASE_FILE;
pub use engine::Engine;
