//! What the tests take from their surroundings: the one file of them that reads the environment.

use std::path::PathBuf;

/// The endpoint that gateways use instead of their embedded engine, such as DynamoDB Local's.
const DYNAMODB_URL: &str = "NSL_DYNAMODB_URL";

/// The ready file of a service that somebody else has started or deployed.
const READY_FILE: &str = "NSL_READY_FILE";

/// The service that shared tests run against instead of a gateway of their own, if the environment names one.
pub(crate) fn ready_file() -> Option<PathBuf> {
    named(READY_FILE).map(PathBuf::from)
}

/// Another DynamoDB than the gateways' own, if the environment names one.
pub(crate) fn dynamodb_url() -> Option<String> {
    named(DYNAMODB_URL)
}

#[expect(clippy::disallowed_methods, reason = "this is the one settings file of the tests")]
fn named(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
