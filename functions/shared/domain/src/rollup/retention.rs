//! How long each resolution is kept: the defaults, an application's own settings and their limits.

use serde::Serialize;

use super::RollupSpan;
use crate::report::MAX_LATENESS_MS;
use crate::resolution::Resolution;
use crate::time::{DAY_MS, HOUR_MS, TimestampMs};

/// How much longer raw reports are stored than they are shown. A report may be as late as they are shown and then wait
/// 20 hours in the stream, its age limit; its minute must not be computed from half of its reports by then.
pub const RAW_GRACE_MS: i64 = DAY_MS;

/// How long before its parts expire a span is not computed any more, so that a computation never loses some midway.
const MARGIN_MS: i64 = HOUR_MS;

/// How long stored data is kept, from the end of its span, in milliseconds.
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

/// Least hours of raw reports: a report may be that late.
pub const MIN_RAW_HOURS: i64 = MAX_LATENESS_MS / HOUR_MS;

/// Most hours of raw reports, a month: erasing an application looks that far back.
pub const MAX_RAW_HOURS: i64 = 720;

/// Least hours of one-minute rollups: a report as late as accepted, after up to 20 hours in the stream and
/// with a margin, still finds its minute (docs/SEMANTICS.md, "Lateness").
const MIN_ROLLUP_HOURS: i64 = MIN_RAW_HOURS + 48;

/// Most hours of any rollup: ten years.
const MAX_ROLLUP_HOURS: i64 = 87_840;

/// An application's own retention in hours; `None` means the default.
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

/// A retention that an application cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRetention {
    /// Too short for what is still needed, or too long.
    #[error("{what} must be kept for {least} to {most} hours, got {asked}")]
    OutOfBounds {
        /// What would be kept.
        what: &'static str,
        /// Least hours, inclusive.
        least: i64,
        /// Most hours, inclusive.
        most: i64,
        /// The hours asked for.
        asked: i64,
    },
    /// A wider rollup would expire before those it is made of, and queries take a missing one as empty.
    #[error("{wider} are kept for {wider_hours} hours, less than the {finer_hours} of {finer}")]
    WiderEndsFirst {
        /// The wider rollups.
        wider: &'static str,
        /// Their hours.
        wider_hours: i64,
        /// The finer rollups.
        finer: &'static str,
        /// Their hours.
        finer_hours: i64,
    },
}

impl AppRetention {
    /// The application's retention, filled up with `defaults`.
    pub fn with_defaults(&self, defaults: Retention) -> Retention {
        let ms =
            |hours: Option<i64>, default_ms| hours.map_or(default_ms, |hours| hours.saturating_mul(HOUR_MS));
        Retention {
            raw_ms: ms(self.raw, defaults.raw_ms),
            minute_ms: ms(self.minute, defaults.minute_ms),
            ten_minutes_ms: ms(self.ten_minutes, defaults.ten_minutes_ms),
            hour_ms: ms(self.hour, defaults.hour_ms),
            day_ms: ms(self.day, defaults.day_ms),
        }
    }

    /// Checks that an application may have it, the rest being the defaults.
    ///
    /// # Errors
    /// The first [`InvalidRetention`].
    pub fn check(&self) -> Result<(), InvalidRetention> {
        let Retention { raw_ms, minute_ms, ten_minutes_ms, hour_ms, day_ms } =
            self.with_defaults(Retention::default());
        within_limits("raw reports", raw_ms / HOUR_MS, MIN_RAW_HOURS, MAX_RAW_HOURS)?;
        let mut finer = ("1-minute rollups", minute_ms / HOUR_MS);
        within_limits(finer.0, finer.1, MIN_ROLLUP_HOURS, MAX_ROLLUP_HOURS)?;
        let coarser =
            [("10-minute rollups", ten_minutes_ms), ("1-hour rollups", hour_ms), ("1-day rollups", day_ms)];
        for (wider, ms) in coarser {
            let wider_hours = ms / HOUR_MS;
            within_limits(wider, wider_hours, MIN_ROLLUP_HOURS, MAX_ROLLUP_HOURS)?;
            if wider_hours < finer.1 {
                let (finer, finer_hours) = finer;
                return Err(InvalidRetention::WiderEndsFirst { wider, wider_hours, finer, finer_hours });
            }
            finer = (wider, wider_hours);
        }
        Ok(())
    }
}

fn within_limits(what: &'static str, asked: i64, least: i64, most: i64) -> Result<(), InvalidRetention> {
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

    /// Whether a rollup of `span` has expired at `now`.
    pub fn is_expired(&self, span: RollupSpan, now: TimestampMs) -> bool {
        now.ms_since(span.end()) >= self.ms_of(span.resolution())
    }

    /// The finest resolution whose rollup of `instant` has not expired at `now`; the coarsest if all have.
    pub fn finest_at(&self, instant: TimestampMs, now: TimestampMs) -> Resolution {
        let is_kept =
            |resolution: &Resolution| !self.is_expired(RollupSpan::containing(*resolution, instant), now);
        Resolution::ALL.into_iter().find(is_kept).unwrap_or(Resolution::Day)
    }

    /// Whether everything that `span` is computed from is still stored at `now`.
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
    fn the_latest_accepted_report_finds_its_minute_complete() {
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
    fn a_retention_that_loses_data_is_rejected() {
        let rejection = |figures| own(figures).check().unwrap_err().to_string();
        assert_eq!(
            rejection([Some(47), None, None, None, None]),
            "raw reports must be kept for 48 to 720 hours, got 47"
        );
        assert_eq!(
            rejection([None, Some(95), None, None, None]),
            "1-minute rollups must be kept for 96 to 87840 hours, got 95"
        );
        assert_eq!(
            rejection([None, Some(841), None, None, None]),
            "10-minute rollups are kept for 840 hours, less than the 841 of 1-minute rollups"
        );
        assert!(own([Some(720), Some(840), None, None, Some(87_840)]).check().is_ok());
        for hours in [i64::MAX / HOUR_MS, i64::MAX, i64::MIN] {
            assert!(own([None, None, None, None, Some(hours)]).check().is_err(), "{hours}");
        }
        assert!(own([None, None, None, None, Some(9_599)]).check().is_err());
    }

    #[test]
    fn an_apps_own_hours_override_the_defaults() {
        let service = Retention { raw_ms: 100 * HOUR_MS, ..Retention::default() };
        let kept = own([None, Some(100), None, None, None]).with_defaults(service);
        assert_eq!(kept, Retention { minute_ms: 100 * HOUR_MS, ..service });
    }

    #[test]
    fn the_finest_kept_resolution_coarsens_with_age() {
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
    fn a_span_is_not_recomputed_from_expired_parts() {
        let now = TimestampMs::clamped(2_000_000_000_000);
        let hour = |age_ms: i64| RollupSpan::containing(Resolution::Hour, now.plus_ms(-age_ms));
        let retention = Retention::default();
        assert!(retention.can_compute(hour(34 * DAY_MS), now));
        assert!(!retention.can_compute(hour(35 * DAY_MS), now));
    }
}
