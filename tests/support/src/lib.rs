//! A stand-in for AWS that the functions' tests run against, and that tells them every call it saw.
//!
//! - [`TestEnvironment`]: the template's tables in a real engine, and the desk that frames are posted to.
//! - [`DynamoDbProxy`]: the recording front before the engine; it can be told to fail.
//! - [`FakeConnectionsApi`]: the `@connections` API of connections that exist only as names.
//! - [`Call`]: one call as it was made, retries included; [`ConsumedCapacity`]: what it was charged.
//! - [`FunctionBinary`]: a function's own binary, and what it says when it cannot work.
//! - [`Emulator`]: AWS's own, around a function's own binary.
//! - [`skip`]: what a test says whose tool is absent.
//! - [`events`]: what API Gateway invokes functions with, in its shapes.
//!
//! It names no SDK and none of the project's crates but the gateway, whose engine and table plans it borrows: what
//! the tests prove they prove of the wire. Where something of its own fails, it panics, for only tests use it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test env that cannot do its part fails the test; an index into JSON finds nothing and does not panic"
)]

mod call;
mod call_log;
mod connections_api;
mod dynamodb;
mod emulator;
mod environment;
pub mod events;
mod function_binary;
mod server;
mod settings;

pub use call::{Call, ConsumedCapacity};
pub use connections_api::{Behaviour, FakeConnectionsApi};
pub use dynamodb::{DynamoDbProxy, Failure};
pub use emulator::Emulator;
pub use environment::TestEnvironment;
pub use function_binary::FunctionBinary;
pub use settings::skip;
