//! Turns the SAM template into a plan of the functions, tables, streams and APIs to run. Nothing here does network I/O.

mod document;
mod filter_pattern;
mod functions;
mod generated_ids;
mod http;
mod path;
mod plan;
mod property;
mod resolve;
mod streams;
mod tables;
#[cfg(test)]
mod tests;
mod websocket;

pub(crate) use functions::Function;
pub(crate) use http::{AuthorizerPlan, CorsPlan, HttpPlan, HttpRoute};
pub use plan::tables_of;
pub(crate) use plan::{Plan, read};
pub(crate) use resolve::{ACCOUNT_ID, URL_SUFFIX};
pub(crate) use streams::{StreamPlan, StreamRules};
pub use tables::Table;
pub(crate) use websocket::WebSocketPlan;

#[cfg(test)]
pub(crate) use plan::plan;
