//! The environment variables of the tests: nothing else in them reads the environment.

use std::path::PathBuf;

/// The DynamoDB endpoint that gateways use instead of the embedded engine.
const DYNAMODB_URL: &str = "NSL_DYNAMODB_URL";

/// The ready file of a service to test instead of a gateway.
const READY_FILE: &str = "NSL_READY_FILE";

/// The tools whose absence fails a test instead of skipping it, separated by spaces.
const REQUIRE: &str = "NSL_REQUIRE";

/// Reports that a test is skipped because `tool` is not installed; fails if the environment requires the tool.
pub(crate) fn skip(tool: &str) {
    let required = variable(REQUIRE).unwrap_or_default();
    assert!(!required.split_whitespace().any(|name| name == tool), "{tool} is required and not installed");
    println!("skipped: {tool}");
}

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
