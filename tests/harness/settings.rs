//! What the tests take from their surroundings: the one file of them that reads the environment.

/// The endpoint that gateways use instead of their embedded engine, such as DynamoDB Local's.
const DYNAMODB_URL: &str = "NSL_DYNAMODB_URL";

/// Another DynamoDB than the gateways' own, if the environment names one.
pub(crate) fn dynamodb_url() -> Option<String> {
    named(DYNAMODB_URL)
}

#[expect(clippy::disallowed_methods, reason = "this is the one settings file of the tests")]
fn named(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
