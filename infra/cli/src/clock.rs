//! The one reader of the wall clock and of the time zone. Everything else is told the time.

use jiff::{Timestamp, tz::TimeZone};
use nsl_domain::time::TimestampMs;

/// The present instant.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one clock of this binary")]
    Timestamp::now()
}

/// The present instant as the tables know it.
pub(crate) fn now_ms() -> TimestampMs {
    TimestampMs::clamped(now().as_millisecond())
}

/// The zone that this machine's user lives in; UTC where the system names none.
pub(crate) fn local_zone() -> TimeZone {
    TimeZone::system()
}
