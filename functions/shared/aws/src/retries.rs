//! How often calls are tried, and after which pauses.

use std::time::Duration;

use aws_smithy_types::retry::RetryConfig;

/// Attempts of one call, the first included.
pub const MAX_ATTEMPTS: u32 = 3;

/// Attempts of a call by which a connection ends, for whose result no caller waits. Their pauses are 3.2 s on average, and
/// the timeout of a call ends them after five: a partition that takes 1,000 writes a second takes those of 2,500
/// connections that end at once.
const MAX_ATTEMPTS_AT_END: u32 = 8;

/// First pause between attempts. The SDK's own 1 s is longer than most invocations.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// Those of every call.
pub(crate) fn of_calls() -> RetryConfig {
    up_to(MAX_ATTEMPTS)
}

/// The configuration of a call by which a connection ends.
pub(crate) fn at_end() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::config::Builder::new().retry_config(up_to(MAX_ATTEMPTS_AT_END))
}

fn up_to(attempts: u32) -> RetryConfig {
    RetryConfig::standard().with_max_attempts(attempts).with_initial_backoff(FIRST_BACKOFF)
}
