//! The clock of the functions. Everything else takes the time as an argument.

use nsl_domain::time::TimestampMs;

/// The current time, by the clock of the machine.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> TimestampMs {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    TimestampMs::clamped(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}
