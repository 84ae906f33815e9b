//! The wall clock and the local time zone. The binaries read neither anywhere else.

use jiff::{Timestamp, tz::TimeZone};
use nsl_domain::time::TimestampMs;

/// The current time.
pub fn now() -> TimestampMs {
    #[expect(clippy::disallowed_methods, reason = "the one clock of these binaries")]
    TimestampMs::clamped(Timestamp::now().as_millisecond())
}

/// The system's time zone; UTC if none is configured.
pub fn local_zone() -> TimeZone {
    TimeZone::system()
}
