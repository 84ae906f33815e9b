//! API Gateway (WebSocket and HTTP), Lambda and DynamoDB on one machine.
//!
//! Runs the unmodified function binaries of a SAM template and reproduces what they and their clients observe on AWS.
//! Imports none of the project's other crates and has no item format of its own: everything comes from the template.
//!
//! - [`template`]: parses the template into a plan.
//! - [`lambda`]: function processes, their pools, the Runtime API.
//! - [`websocket`], [`http`], [`management`]: the three HTTP servers.
//! - [`dynamodb`]: the embedded engine and the tables.
//! - [`streams`]: event source mappings from table streams to functions.
//! - [`run`]: startup and shutdown.

mod access_key;
mod api_servers;
mod bind;
mod clock;
mod console;
mod demo;
mod dynamodb;
mod endpoints;
mod guard;
mod http;
mod ids;
mod json;
mod lambda;
mod management;
mod options;
mod parent_death;
mod policy;
mod private_files;
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
pub use parent_death::{EXEC_FLAG, exec_with_parent_death_signal};
pub use private_files::keep_files_private;
pub use run::run;
pub use settings::Settings;
pub use shutdown::shutdown_signal;
pub use template::{Table, tables_of};
