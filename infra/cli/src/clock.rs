//! The one reader of the wall clock and of the time zone. Everything else is told the time.

use jiff::{Timestamp, tz::TimeZone};

/// The present instant.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one clock of this binary")]
    Timestamp::now()
}

/// The zone that this machine's user lives in; UTC where the system names none.
pub(crate) fn local_zone() -> TimeZone {
    TimeZone::system()
}
