//! The named ranges `hour`, `day` and `week`: their lengths, steps and windows.

use serde::de::IntoDeserializer;
use serde::de::value::Error;
use serde::{Deserialize, Serialize};

use crate::rejection::Rejection;
use crate::resolution::Resolution;
use crate::time::{DAY_MS, HOUR_MS, TimestampMs};
use crate::time_span::TimeSpan;

/// A range that ends with the current point, the one that contains `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeRange {
    /// 60 points of 1 minute.
    Hour,
    /// 144 points of 10 minutes.
    Day,
    /// 168 points of 1 hour.
    Week,
}

impl TimeRange {
    /// Reads `hour`, `day` or `week`.
    ///
    /// # Errors
    /// `invalid_field` for `timeRange`.
    pub fn read(text: &str) -> Result<Self, Rejection> {
        let named: Result<Self, Error> = Self::deserialize(text.into_deserializer());
        named.map_err(|_| Rejection::invalid("timeRange", "must be hour, day or week"))
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

    /// The span of this range in whole steps, at least one; the last contains `now`.
    pub(super) fn span(self, now: TimestampMs, step: Resolution) -> TimeSpan {
        let to = now.aligned_to(step.ms()).plus_ms(step.ms());
        TimeSpan::new(to.plus_ms(-self.ms().max(step.ms())), to)
    }
}
