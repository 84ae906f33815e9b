//! What the test bed takes from its surroundings: the one file of it that reads the environment.

/// The endpoint to run against instead of the embedded engine, such as DynamoDB Local's.
const DYNAMODB_URL: &str = "NSL_DYNAMODB_URL";

/// The endpoint that the environment names, if any, without a slash at its end.
#[expect(clippy::disallowed_methods, reason = "this is the one settings file of the test bed")]
pub(crate) fn dynamodb_url() -> Option<String> {
    let url = std::env::var(DYNAMODB_URL).ok().filter(|url| !url.is_empty())?;
    Some(url.trim_end_matches('/').to_owned())
}
