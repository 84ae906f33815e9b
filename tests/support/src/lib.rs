//! A stand-in for AWS that the functions' tests run against, and that tells them every call it saw.
//!
//! - [`TestBed`]: the template's tables in a real engine, and the desk that frames are posted to.
//! - [`Store`]: the recording front before the engine; it can be told to fail.
//! - [`Desk`]: the `@connections` API of connections that exist only as names.
//! - [`Call`]: one call as it was made, retries included; [`Spent`]: what it was charged.
//! - [`Bootstrap`]: a function's own binary, and what it says when it cannot work.
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
    reason = "a test bed that cannot do its part fails the test; an index into JSON finds nothing and does not panic"
)]

mod bed;
mod call;
mod desk;
mod door;
mod emulator;
pub mod events;
mod journal;
mod settings;
mod start;
mod store;

pub use bed::TestBed;
pub use call::{Call, Spent};
pub use desk::{Desk, Manner};
pub use emulator::Emulator;
pub use settings::skip;
pub use start::Bootstrap;
pub use store::{Failure, Store};
