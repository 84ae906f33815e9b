//! The clock of a run: microseconds since its start, monotonic.

use tokio::time::Instant;

/// A time of a run, in microseconds since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct RunTime(pub(crate) u64);

impl RunTime {
    /// Microseconds since `earlier`; 0 if it is later.
    pub(crate) fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The clock of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunClock(Instant);

impl RunClock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> RunTime {
        self.at(Instant::now())
    }

    /// The time of the run at `instant`.
    pub(crate) fn at(self, instant: Instant) -> RunTime {
        let since = instant.saturating_duration_since(self.0);
        RunTime(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}
