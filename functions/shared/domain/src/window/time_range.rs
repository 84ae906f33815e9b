//! The named ranges `hour`, `day` and `week`: their lengths, steps and windows.

use serde::{Serialize, Serializer};

use super::Window;
use crate::rejection::Rejection;
use crate::resolution::Resolution;
use crate::time::{DAY_MS, HOUR_MS, TimestampMs};
use crate::time_span::TimeSpan;

/// A range that ends with the current point, the one that contains `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeRange {
    /// 60 points of 1 minute.
    Hour,
    /// 144 points of 10 minutes.
    Day,
    /// 168 points of 1 hour.
    Week,
}

impl TimeRange {
    /// Every range, from short to long.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// Reads `hour`, `day` or `week`.
    ///
    /// # Errors
    /// `invalid_field` for `timeRange`.
    pub fn read(text: &str) -> Result<Self, Rejection> {
        let named = Self::ALL.into_iter().find(|range| range.as_str() == text);
        named.ok_or_else(|| Rejection::invalid("timeRange", "must be hour, day or week"))
    }

    /// Its name in queries and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// Its length in milliseconds.
    pub fn ms(self) -> i64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
            Self::Week => 7 * DAY_MS,
        }
    }

    /// The step of its answer unless the query names another.
    pub fn step(self) -> Resolution {
        match self {
            Self::Hour => Resolution::Minute,
            Self::Day => Resolution::TenMinutes,
            Self::Week => Resolution::Hour,
        }
    }

    /// The window of this range at `now`: its last point is the one that contains `now`.
    pub fn window(self, now: TimestampMs) -> Window {
        Window::aligned(self.span(now, self.step()), self.step())
    }

    /// The span of this range in whole steps, at least one; the last contains `now`.
    pub(super) fn span(self, now: TimestampMs, step: Resolution) -> TimeSpan {
        let to = now.aligned_to(step.ms()).plus_ms(step.ms());
        TimeSpan::new(to.plus_ms(-self.ms().max(step.ms())), to)
    }
}

impl Serialize for TimeRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
