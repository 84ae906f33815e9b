//! How long each resolution is kept, and so how long a span can still be computed anew.
//!
//! Owns the defaults; an application's own figures would be read where [`Retention::default`] is called. Ruled by
//! design.md §6.

use super::RollupSpan;
use crate::time::{DAY_MS, HOUR_MS, TimestampMs};
use crate::window::Resolution;

/// How much longer than they are shown raw reports are stored: a report may come as late as they are shown, and wait
/// for the stream's whole age limit of 20 hours. Its minute must not be computed from half of its reports then.
pub const RAW_GRACE_MS: i64 = DAY_MS;

/// How much before its end a span's sources are taken as gone, for a computation that has begun must find them all.
const MARGIN_MS: i64 = HOUR_MS;

/// How long what is stored is kept, from the end of its span, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Raw reports, as long as they are shown.
    pub raw_ms: i64,
    /// Rollups of a minute.
    pub minute_ms: i64,
    /// Rollups of ten minutes.
    pub ten_minutes_ms: i64,
    /// Rollups of an hour.
    pub hour_ms: i64,
    /// Rollups of a day.
    pub day_ms: i64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            raw_ms: 2 * DAY_MS,
            minute_ms: 8 * DAY_MS,
            ten_minutes_ms: 35 * DAY_MS,
            hour_ms: 400 * DAY_MS,
            // Five years, one of them a leap year.
            day_ms: 1_826 * DAY_MS,
        }
    }
}

impl Retention {
    /// How long rollups of `resolution` are kept.
    pub fn of(&self, resolution: Resolution) -> i64 {
        match resolution {
            Resolution::Minute => self.minute_ms,
            Resolution::TenMinutes => self.ten_minutes_ms,
            Resolution::Hour => self.hour_ms,
            Resolution::Day => self.day_ms,
        }
    }

    /// Whether everything below `span` is still stored at `now`, so that it may be computed anew.
    pub fn can_compute(&self, span: RollupSpan, now: TimestampMs) -> bool {
        let kept_ms = span.finer().map_or(self.raw_ms + RAW_GRACE_MS, |finer| self.of(finer));
        now.ms_since(span.start()) < kept_ms - MARGIN_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::MAX_LATENESS_MS;

    #[test]
    fn the_latest_report_still_finds_its_minute_whole() {
        let longest_in_the_stream_ms = 20 * HOUR_MS;
        let now = TimestampMs::clamped(2_000_000_000_000);
        let mut span =
            RollupSpan::holding(Resolution::Minute, now.plus_ms(-MAX_LATENESS_MS - longest_in_the_stream_ms));
        let retention = Retention::default();
        assert!(retention.can_compute(span, now));
        while let Some(above) = span.coarser() {
            assert!(retention.can_compute(above, now), "{above:?}");
            span = above;
        }
    }

    #[test]
    fn a_span_whose_parts_are_gone_stays_as_it_is() {
        let now = TimestampMs::clamped(2_000_000_000_000);
        let hour = |age_ms: i64| RollupSpan::holding(Resolution::Hour, now.plus_ms(-age_ms));
        let retention = Retention::default();
        assert!(retention.can_compute(hour(34 * DAY_MS), now));
        assert!(!retention.can_compute(hour(35 * DAY_MS), now));
    }
}
