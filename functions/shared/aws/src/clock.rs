//! The one clock of the functions. Everything below takes now as an argument.

use nsl_domain::time::TimestampMs;

/// The instant at which this is called, by the machine's own clock.
#[expect(clippy::disallowed_methods, reason = "this is the one clock of the functions")]
pub fn now() -> TimestampMs {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    TimestampMs::clamped(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}
