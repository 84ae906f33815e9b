//! The environment variables of the tests: nothing else in them reads the environment.

use std::path::PathBuf;

/// The DynamoDB endpoint that gateways use instead of the embedded engine.
const DYNAMODB_URL: &str = "NSL_DYNAMODB_URL";

/// The ready file of a service to test instead of a gateway.
const READY_FILE: &str = "NSL_READY_FILE";

pub(crate) fn ready_file() -> Option<PathBuf> {
    variable(READY_FILE).map(PathBuf::from)
}

pub(crate) fn dynamodb_url() -> Option<String> {
    variable(DYNAMODB_URL)
}

#[expect(clippy::disallowed_methods, reason = "only this file reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
