//! The environment variables of this crate: nothing else in it reads the environment.

/// An endpoint to use instead of the embedded engine, such as DynamoDB Local's.
const DYNAMODB_URL: &str = "NSL_DYNAMODB_URL";
/// The tools whose absence fails a test instead of skipping it, separated by spaces.
const REQUIRE: &str = "NSL_REQUIRE";

/// The endpoint to use instead of the embedded engine, without a slash at its end.
pub(crate) fn dynamodb_url() -> Option<String> {
    let url = variable(DYNAMODB_URL).filter(|url| !url.is_empty())?;
    Some(url.trim_end_matches('/').to_owned())
}

/// Reports that a test is skipped because `tool` is not installed.
///
/// # Panics
/// If the environment requires the tool.
#[expect(clippy::print_stdout, reason = "a test's own output, which cargo shows on demand")]
pub fn skip(tool: &str) {
    let required = variable(REQUIRE).unwrap_or_default();
    assert!(!required.split_whitespace().any(|name| name == tool), "{tool} is required and not installed");
    println!("skipped: {tool}");
}

#[expect(clippy::disallowed_methods, reason = "only this file reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
