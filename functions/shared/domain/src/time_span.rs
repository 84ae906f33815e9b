//! A half-open span of time, `[from, to)`.

use crate::time::TimestampMs;

/// From `from`, inclusive, to `to`, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan {
    /// Its first instant.
    pub from: TimestampMs,
    /// The first instant after it.
    pub to: TimestampMs,
}

impl TimeSpan {
    /// The span from `from`, inclusive, to `to`, exclusive.
    pub fn new(from: TimestampMs, to: TimestampMs) -> Self {
        Self { from, to }
    }

    /// Whether `instant` lies in it.
    pub fn contains(self, instant: TimestampMs) -> bool {
        self.from <= instant && instant < self.to
    }

    /// Its length in milliseconds, negative if `to` is before `from`.
    pub fn ms(self) -> i64 {
        self.to.ms_since(self.from)
    }
}
