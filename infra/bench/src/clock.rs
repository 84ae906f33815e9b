//! The one reader of the wall clock, and the clock of a run: microseconds since its start, never going back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Milliseconds since 1970. A clock before that reads 0.
pub(crate) fn epoch_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the one clock of this binary")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// An instant of a run, in microseconds since the run's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct RunTime(pub(crate) u64);

impl RunTime {
    /// Microseconds from `earlier` to this instant; 0 where it is later.
    pub(crate) fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The clock of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunClock(Instant);

impl RunClock {
    /// A clock that starts here.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The present instant.
    pub(crate) fn now(self) -> RunTime {
        self.at(Instant::now())
    }

    /// The run's time of `instant`.
    pub(crate) fn at(self, instant: Instant) -> RunTime {
        let since: Duration = instant.saturating_duration_since(self.0);
        RunTime(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}
