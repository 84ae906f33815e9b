//! What the tests of the functions share: an AWS on this machine that records every call.
//!
//! - [`TestEnvironment`]: the template's tables in a real engine, the connections API, and the functions' AWS clients.
//! - [`DynamoDbProxy`]: stands before the engine; records calls and makes them fail.
//! - [`FakeConnectionsApi`]: the `@connections` API; records frames instead of delivering them.
//! - [`Call`]: one recorded call, retries included; [`ConsumedCapacity`]: the units it was charged.
//! - [`FunctionBinary`]: a function's own binary, run with missing or invalid settings, under [`Emulator`], or as a
//!   [`RunningFunction`], whose log lines are measured.
//! - [`events`]: the events that API Gateway invokes functions with.
//! - [`fixtures`]: one application, its key, its grant, and the time of the tests.
//! - [`hosts`]: hosts that report like the published library, and their rollups.
//! - [`prices`]: the prices and figures of docs/COST.md.
//! - [`RequestCost`]: what one request cost, compared with the table of docs/SECURITY.md.
//! - [`shapes`]: values that are difficult for percentiles.
//! - [`skip`]: reports a test whose tool is not installed.
//!
//! Calls are recorded on the wire, below the SDK. A failure inside this crate panics: only tests use it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a set-up that fails must fail the test; indexing JSON returns null instead of panicking"
)]

mod call;
mod call_log;
mod connections_api;
mod dynamodb;
mod emulator;
mod environment;
pub mod events;
pub mod fixtures;
mod function_binary;
pub mod hosts;
mod log_lines;
pub mod prices;
mod request_cost;
mod running_function;
mod server;
mod settings;
pub mod shapes;

pub use call::{Call, ConsumedCapacity};
pub use connections_api::{Behaviour, FakeConnectionsApi};
pub use dynamodb::{DynamoDbProxy, Failure};
pub use emulator::Emulator;
pub use environment::TestEnvironment;
pub use function_binary::FunctionBinary;
pub use log_lines::{LOG_LEVELS, LoggedEvent};
pub use request_cost::RequestCost;
pub use running_function::{Invoked, RunningFunction};
pub use settings::skip;
