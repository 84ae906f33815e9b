//! How long each resolution is kept, and so how long a span can still be computed anew.
//!
//! Owns the defaults, an application's own figures and their bounds. Ruled by design.md §6.

use serde::Serialize;

use super::RollupSpan;
use crate::report::MAX_LATENESS_MS;
use crate::resolution::Resolution;
use crate::time::{DAY_MS, HOUR_MS, TimestampMs};

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

/// Least hours of raw reports: one may be that late.
const MIN_RAW_HOURS: i64 = MAX_LATENESS_MS / HOUR_MS;

/// Most hours of raw reports, a month: the erasure of an application looks that far back.
pub const MAX_RAW_HOURS: i64 = 720;

/// Least hours of one-minute rollups. Reports are accepted until two days before these end, so that whatever waits in
/// the stream still finds its minute: design.md §6, "lateness limit".
const MIN_ROLLUP_HOURS: i64 = MIN_RAW_HOURS + 48;

/// Most hours of any rollup: ten years.
const MAX_ROLLUP_HOURS: i64 = 87_840;

/// How long an application wants its data kept, in hours; what is `None` is by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppRetention {
    /// Raw reports.
    pub raw: Option<i64>,
    /// Rollups of a minute.
    pub minute: Option<i64>,
    /// Rollups of ten minutes.
    pub ten_minutes: Option<i64>,
    /// Rollups of an hour.
    pub hour: Option<i64>,
    /// Rollups of a day.
    pub day: Option<i64>,
}

/// A retention that an application may not be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRetention {
    /// It would lose what is still needed, or never end.
    #[error("{what} are kept for {least} to {most} hours, not for {asked}")]
    OutOfBounds {
        /// Kept what.
        what: &'static str,
        /// Least hours, inclusive.
        least: i64,
        /// Most hours, inclusive.
        most: i64,
        /// What was asked for.
        asked: i64,
    },
    /// A wider rollup would be gone before those it is made of: who reads takes it that then there never were any.
    #[error("{wider} are kept for {wider_hours} hours, less than the {finer_hours} of {finer}")]
    WiderEndsFirst {
        /// The wider.
        wider: &'static str,
        /// How long these would be kept.
        wider_hours: i64,
        /// The finer.
        finer: &'static str,
        /// How long these would be kept.
        finer_hours: i64,
    },
}

impl AppRetention {
    /// The application's retention where that of the service is `default`.
    pub fn with_defaults(&self, default: Retention) -> Retention {
        let ms = |hours: Option<i64>, default_ms| hours.map_or(default_ms, |hours| hours * HOUR_MS);
        Retention {
            raw_ms: ms(self.raw, default.raw_ms),
            minute_ms: ms(self.minute, default.minute_ms),
            ten_minutes_ms: ms(self.ten_minutes, default.ten_minutes_ms),
            hour_ms: ms(self.hour, default.hour_ms),
            day_ms: ms(self.day, default.day_ms),
        }
    }

    /// Whether an application may have it, the rest being by default.
    ///
    /// # Errors
    /// The first [`InvalidRetention`].
    pub fn check(&self) -> Result<(), InvalidRetention> {
        let Retention { raw_ms, minute_ms, ten_minutes_ms, hour_ms, day_ms } =
            self.with_defaults(Retention::default());
        bounded("raw reports", raw_ms / HOUR_MS, MIN_RAW_HOURS, MAX_RAW_HOURS)?;
        let mut finer = ("1-minute rollups", minute_ms / HOUR_MS);
        bounded(finer.0, finer.1, MIN_ROLLUP_HOURS, MAX_ROLLUP_HOURS)?;
        let coarser =
            [("10-minute rollups", ten_minutes_ms), ("1-hour rollups", hour_ms), ("1-day rollups", day_ms)];
        for (wider, ms) in coarser {
            let wider_hours = ms / HOUR_MS;
            bounded(wider, wider_hours, MIN_ROLLUP_HOURS, MAX_ROLLUP_HOURS)?;
            if wider_hours < finer.1 {
                let (finer, finer_hours) = finer;
                return Err(InvalidRetention::WiderEndsFirst { wider, wider_hours, finer, finer_hours });
            }
            finer = (wider, wider_hours);
        }
        Ok(())
    }
}

fn bounded(what: &'static str, asked: i64, least: i64, most: i64) -> Result<(), InvalidRetention> {
    if (least..=most).contains(&asked) {
        return Ok(());
    }
    Err(InvalidRetention::OutOfBounds { what, least, most, asked })
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
    pub fn ms_of(&self, resolution: Resolution) -> i64 {
        match resolution {
            Resolution::Minute => self.minute_ms,
            Resolution::TenMinutes => self.ten_minutes_ms,
            Resolution::Hour => self.hour_ms,
            Resolution::Day => self.day_ms,
        }
    }

    /// Whether a rollup of `span` is past its age at `now`.
    pub fn is_expired(&self, span: RollupSpan, now: TimestampMs) -> bool {
        now.ms_since(span.end()) >= self.ms_of(span.resolution())
    }

    /// The finest resolution whose rollup of `instant` is not past its age at `now`; the coarsest where none is left.
    pub fn finest_at(&self, instant: TimestampMs, now: TimestampMs) -> Resolution {
        let is_kept =
            |resolution: &Resolution| !self.is_expired(RollupSpan::containing(*resolution, instant), now);
        Resolution::ALL.into_iter().find(is_kept).unwrap_or(Resolution::Day)
    }

    /// Whether everything below `span` is still stored at `now`, so that it may be computed anew.
    pub fn can_compute(&self, span: RollupSpan, now: TimestampMs) -> bool {
        let kept_ms = span.finer().map_or(self.raw_ms + RAW_GRACE_MS, |finer| self.ms_of(finer));
        now.ms_since(span.start()) < kept_ms - MARGIN_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(figures: [Option<i64>; 5]) -> AppRetention {
        let [raw, minute, ten_minutes, hour, day] = figures;
        AppRetention { raw, minute, ten_minutes, hour, day }
    }

    #[test]
    fn the_latest_report_still_finds_its_minute_whole() {
        let longest_in_the_stream_ms = 20 * HOUR_MS;
        let least = own([48, 96, 96, 96, 96].map(Some));
        assert_eq!(least.check(), Ok(()));
        let whole_day_ms = 2_000_000_000_000 / DAY_MS * DAY_MS;
        for (own, hour) in
            [AppRetention::default(), least].into_iter().flat_map(|own| (0..24).map(move |h| (own, h)))
        {
            let retention = own.with_defaults(Retention::default());
            let now = TimestampMs::clamped(whole_day_ms + hour * HOUR_MS);
            let latest = now.plus_ms(-MAX_LATENESS_MS - longest_in_the_stream_ms);
            let mut span = RollupSpan::containing(Resolution::Minute, latest);
            assert!(retention.can_compute(span, now));
            while let Some(above) = span.coarser() {
                assert!(retention.can_compute(above, now), "{above:?}");
                span = above;
            }
        }
    }

    #[test]
    fn what_would_lose_something_is_refused_and_told() {
        let refusal = |figures| own(figures).check().unwrap_err().to_string();
        assert_eq!(
            refusal([Some(47), None, None, None, None]),
            "raw reports are kept for 48 to 720 hours, not for 47"
        );
        assert_eq!(
            refusal([None, Some(95), None, None, None]),
            "1-minute rollups are kept for 96 to 87840 hours, not for 95"
        );
        assert_eq!(
            refusal([None, Some(841), None, None, None]),
            "10-minute rollups are kept for 840 hours, less than the 841 of 1-minute rollups"
        );
        assert!(own([Some(720), Some(840), None, None, Some(87_840)]).check().is_ok());
        assert!(own([None, None, None, None, Some(i64::MAX / HOUR_MS)]).check().is_err());
        assert!(own([None, None, None, None, Some(9_599)]).check().is_err());
    }

    #[test]
    fn own_figures_stand_over_the_services() {
        let service = Retention { raw_ms: 100 * HOUR_MS, ..Retention::default() };
        let kept = own([None, Some(100), None, None, None]).with_defaults(service);
        assert_eq!(kept, Retention { minute_ms: 100 * HOUR_MS, ..service });
    }

    #[test]
    fn the_finest_that_is_kept_coarsens_with_age() {
        let now = TimestampMs::clamped(2_000_000_000_000 / DAY_MS * DAY_MS);
        let at = |age_ms: i64| Retention::default().finest_at(now.plus_ms(-age_ms), now);
        for (days, kept, next) in [
            (8, Resolution::Minute, Resolution::TenMinutes),
            (35, Resolution::TenMinutes, Resolution::Hour),
            (400, Resolution::Hour, Resolution::Day),
        ] {
            // A rollup is kept until its end is that old, and this is the start of one.
            assert_eq!((at(days * DAY_MS), at(days * DAY_MS + 1)), (kept, next));
        }
        assert_eq!(at(3_000 * DAY_MS), Resolution::Day);
        assert_eq!(at(-DAY_MS), Resolution::Minute);
    }

    #[test]
    fn a_span_whose_parts_are_gone_stays_as_it_is() {
        let now = TimestampMs::clamped(2_000_000_000_000);
        let hour = |age_ms: i64| RollupSpan::containing(Resolution::Hour, now.plus_ms(-age_ms));
        let retention = Retention::default();
        assert!(retention.can_compute(hour(34 * DAY_MS), now));
        assert!(!retention.can_compute(hour(35 * DAY_MS), now));
    }
}
