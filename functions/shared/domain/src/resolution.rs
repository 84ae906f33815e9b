//! The four widths of stored rollups and of an answer's points: minute, ten minutes, hour, day.

use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// Width of a stored rollup, and so of a point of an answer. Ordered from fine to coarse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// 1 minute.
    Minute,
    /// 10 minutes.
    TenMinutes,
    /// 1 hour.
    Hour,
    /// 1 day, from midnight to midnight UTC.
    Day,
}

impl Resolution {
    /// Every resolution, from fine to coarse.
    pub const ALL: [Self; 4] = [Self::Minute, Self::TenMinutes, Self::Hour, Self::Day];

    /// Width in milliseconds.
    pub fn ms(self) -> i64 {
        match self {
            Self::Minute => MINUTE_MS,
            Self::TenMinutes => 10 * MINUTE_MS,
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
        }
    }

    /// Width in whole seconds: the `step` of an answer.
    pub fn seconds(self) -> i64 {
        self.ms() / SECOND_MS
    }

    /// The finest resolution that is at least `seconds` wide, or `None` past the coarsest.
    pub fn at_least(seconds: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|resolution| resolution.seconds() >= seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_rounded_up_to_a_stored_resolution() {
        let rounded = |seconds| Resolution::at_least(seconds).map(Resolution::seconds);
        let steps = [1, 60, 61, 600, 601, 3_600, 3_601, 86_400, 86_401].map(rounded);
        let stored = [60, 60, 600, 600, 3_600, 3_600, 86_400, 86_400].map(Some);
        assert_eq!(steps, [&stored[..], &[None]].concat()[..]);
    }
}
