//! A one-machine stand-in for API Gateway (WebSocket and HTTP), Lambda and DynamoDB.
//!
//! It runs the unmodified binaries of a SAM template and behaves so much like AWS that they cannot tell. It imports
//! none of the project's other crates and knows no item format: all that it serves comes from the template.
//!
//! - [`template`]: the template as a plan.
//! - [`lambda`]: processes, their pools, the Runtime API.
//! - [`websocket`], [`http`], [`management`]: the three fronts.
//! - [`dynamodb`]: the embedded engine and the tables.
//! - [`streams`]: the tables' streams, delivered to functions.
//! - [`run`]: start, ready, drain.

mod addresses;
mod bind;
mod clock;
mod console;
mod demo;
mod dynamodb;
mod fronts;
mod http;
mod ids;
mod keeper;
mod lambda;
mod management;
mod options;
mod pattern;
mod policy;
mod ready;
mod run;
mod secrets;
mod serve;
mod settings;
mod shutdown;
mod state;
mod streams;
mod template;
mod websocket;
mod welcome;

pub use console::fatal;
pub use dynamodb::{Engine, create_tables};
pub use keeper::{KEEP, become_child};
pub use options::{FunctionNames, Options};
pub use run::run;
pub use settings::Settings;
pub use shutdown::signalled;
pub use template::{Table, tables_of};
