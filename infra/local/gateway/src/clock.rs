//! The gateway's clock, the only file that reads the wall clock, and the time formats of AWS's events.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Milliseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "the gateway's only clock")]
pub(crate) fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// The format of access logs: `09/Feb/2024:18:23:28 +0000`.
pub(crate) fn log_time(at_ms: i64) -> String {
    instant(at_ms).strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// ISO 8601, UTC, with milliseconds.
pub(crate) fn iso_time(at_ms: i64) -> String {
    instant(at_ms).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The format of request signatures: `20240209T182328Z`.
pub(crate) fn signing_time(at_ms: i64) -> String {
    instant(at_ms).strftime("%Y%m%dT%H%M%SZ").to_string()
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn instant(at_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(at_ms).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEBRUARY_MS: i64 = 1_707_503_008_941;

    #[test]
    fn times_have_the_formats_of_aws() {
        assert_eq!(log_time(FEBRUARY_MS), "09/Feb/2024:18:23:28 +0000");
        assert_eq!(iso_time(FEBRUARY_MS), "2024-02-09T18:23:28.941Z");
        assert_eq!(signing_time(FEBRUARY_MS), "20240209T182328Z");
    }
}
