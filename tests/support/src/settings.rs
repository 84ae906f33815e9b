//! What the test environment takes from its surroundings: the one file of it that reads the environment.

/// The endpoint to run against instead of the embedded engine, such as DynamoDB Local's.
const DYNAMODB_URL: &str = "NSL_DYNAMODB_URL";
/// The tools whose absence fails a test, separated by spaces.
const REQUIRE: &str = "NSL_REQUIRE";

/// The endpoint that the environment names, if any, without a slash at its end.
pub(crate) fn dynamodb_url() -> Option<String> {
    let url = named(DYNAMODB_URL).filter(|url| !url.is_empty())?;
    Some(url.trim_end_matches('/').to_owned())
}

/// Says that a test is skipped because `tool` is not there.
///
/// # Panics
/// Where the environment requires the tool.
#[expect(clippy::print_stdout, reason = "a test's own output, which cargo shows on demand")]
pub fn skip(tool: &str) {
    let required = named(REQUIRE).unwrap_or_default();
    assert!(!required.split_whitespace().any(|name| name == tool), "{tool} is required and not there");
    println!("skipped: {tool}");
}

#[expect(clippy::disallowed_methods, reason = "this is the one settings file of the test env")]
fn named(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
