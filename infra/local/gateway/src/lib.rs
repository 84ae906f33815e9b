//! A one-machine stand-in for API Gateway (WebSocket and HTTP), Lambda and DynamoDB.
//!
//! It runs the unmodified binaries of a SAM template and behaves so much like AWS that they cannot tell. It imports
//! none of the project's other crates and knows no item format: all that it serves comes from the template.
//!
//! - [`template`]: the template as a plan.
//! - [`lambda`]: processes, their pools, the Runtime API.
//! - [`websocket`], [`http`], [`management`]: the three servers.
//! - [`dynamodb`]: the embedded engine and the tables.
//! - [`streams`]: the tables' streams, delivered to functions.
//! - [`run`]: start, ready, drain.

mod api_servers;
mod bind;
mod clock;
mod console;
mod demo;
mod dynamodb;
mod endpoints;
mod http;
mod ids;
mod lambda;
mod management;
mod options;
mod parent_death;
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

pub use console::print_error;
pub use dynamodb::{Engine, create_tables};
pub use options::{FunctionNames, Options};
pub use parent_death::{EXEC_WITH_PARENT_DEATH_SIGNAL, exec_with_parent_death_signal};
pub use run::run;
pub use settings::Settings;
pub use shutdown::shutdown_signal;
pub use template::{Table, tables_of};
