//! How a query words its span: `timeRange`, or `from` and `to`, each with or without `step`.
//!
//! Owns the words, their defaults and the refusals of all others. Ruled by protocol.md §3.

use serde::{Serialize, Serializer};

use super::{Resolution, Window};
use crate::rejection::Rejection;
use crate::rollup::Retention;
use crate::time::{DAY_MS, HOUR_MS, TimestampMs};

/// Most points of an answer whose query names no step: those of the longest named range, a week of hours.
/// With it, an hour, a day and a week get the same step whichever way they are asked for.
const DEFAULT_POINTS: i64 = 168;

/// A named span that ends with the running point.
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
    /// `invalid_field`, blaming `timeRange`.
    pub fn read(text: &str) -> Result<Self, Rejection> {
        let known = Self::ALL.into_iter().find(|range| range.as_str() == text);
        known.ok_or_else(|| Rejection::invalid("timeRange", "must be hour, day or week"))
    }

    /// The word for it on the wire.
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

    /// The step that its answer has unless another is asked for.
    pub fn step(self) -> Resolution {
        match self {
            Self::Hour => Resolution::Minute,
            Self::Day => Resolution::TenMinutes,
            Self::Week => Resolution::Hour,
        }
    }

    /// The window of this range at `now`: its last point is the one that holds `now`.
    pub fn window(self, now: TimestampMs) -> Window {
        let (from, to) = self.span(now, self.step());
        Window { from, to, step: self.step() }
    }

    /// The span of this range in whole steps, at least one, the last of which holds `now`.
    fn span(self, now: TimestampMs, step: Resolution) -> (TimestampMs, TimestampMs) {
        let to = now.aligned_to(step.ms()).plus_ms(step.ms());
        (to.plus_ms(-self.ms().max(step.ms())), to)
    }
}

impl Serialize for TimeRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a query asks for: a window, and the word for it where one was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The named range, absent where `from` was given.
    pub time_range: Option<TimeRange>,
    /// The points to answer.
    pub window: Window,
}

impl Span {
    /// Reads the span of a query from its parameters, looked up by name.
    ///
    /// `timeRange` or `from` is given, else the last hour is meant; `to` is now where it is absent. `step` is in whole
    /// seconds and rounded up to a [`Resolution`] that is still kept where the span begins, by `kept`; where it is
    /// absent, a named range has its own, and any other span the finest so kept of which at most 168 are as long as it.
    ///
    /// # Errors
    /// `invalid_field` for words, times and steps that mean nothing, for `timeRange` beside `from` or `to`, and as
    /// [`Window::covering`] says; `missing_field` for `to` without `from`.
    pub fn read<'q>(
        parameter: impl Fn(&str) -> Option<&'q str>,
        kept: &Retention,
        now: TimestampMs,
    ) -> Result<Self, Rejection> {
        let step = parameter("step").map(step).transpose()?;
        let (from, to) = (parameter("from"), parameter("to"));
        let Some(from) = from else {
            if to.is_some() {
                return Err(Rejection::missing("from"));
            }
            let range = parameter("timeRange").map_or(Ok(TimeRange::Hour), TimeRange::read)?;
            return Self::of_range(range, step, kept, now);
        };
        if parameter("timeRange").is_some() {
            return Err(Rejection::invalid("timeRange", "cannot be combined with from and to"));
        }
        let from = instant("from", from)?;
        let to = to.map_or(Ok(now), |to| instant("to", to))?;
        let step = step.unwrap_or_else(|| default_step(to.ms_since(from))).max(kept.finest_at(from, now));
        Ok(Self { time_range: None, window: Window::covering(from, to, step)? })
    }

    fn of_range(
        range: TimeRange,
        step: Option<Resolution>,
        kept: &Retention,
        now: TimestampMs,
    ) -> Result<Self, Rejection> {
        let asked = |step: Resolution| step.max(kept.finest_at(range.span(now, step).0, now));
        let step = step.map_or(range.step(), asked);
        let (from, to) = range.span(now, step);
        Ok(Self { time_range: Some(range), window: Window::covering(from, to, step)? })
    }
}

/// The finest resolution that cuts `span_ms` into at most [`DEFAULT_POINTS`], or else the coarsest.
fn default_step(span_ms: i64) -> Resolution {
    let fits = |step: &Resolution| span_ms <= DEFAULT_POINTS * step.ms();
    Resolution::ALL.into_iter().find(fits).unwrap_or(Resolution::Day)
}

fn step(text: &str) -> Result<Resolution, Rejection> {
    let seconds = text.parse::<i64>().ok().filter(|seconds| *seconds > 0);
    seconds.and_then(Resolution::at_least).ok_or_else(|| {
        let coarsest = Resolution::Day.seconds();
        Rejection::invalid("step", format!("must be whole seconds from 1 to {coarsest}"))
    })
}

fn instant(field: &str, text: &str) -> Result<TimestampMs, Rejection> {
    let read = match text.parse::<i64>() {
        Ok(ms) => TimestampMs::try_from(ms),
        Err(_) => TimestampMs::from_iso(text),
    };
    read.map_err(|malformed| Rejection::invalid(field, malformed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::Code;
    use proptest::prelude::*;

    const NOW: &str = "2026-11-22T13:01:01.387Z";

    fn read(parameters: &[(&str, &'static str)]) -> Result<Span, Rejection> {
        let named = |name: &str| parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        Span::read(named, &Retention::default(), TimestampMs::from_iso(NOW).unwrap())
    }

    fn told(parameters: &[(&str, &'static str)]) -> (String, String, i64, usize) {
        let window = read(parameters).unwrap().window;
        (window.from().to_string(), window.to().to_string(), window.step().seconds(), window.points())
    }

    fn expected(from: &str, to: &str, step: i64, points: usize) -> (String, String, i64, usize) {
        (from.to_owned(), to.to_owned(), step, points)
    }

    #[test]
    fn a_named_range_has_its_own_points_the_last_one_running() {
        let hour = expected("2026-11-22T12:02:00.000Z", "2026-11-22T13:02:00.000Z", 60, 60);
        assert_eq!(told(&[("timeRange", "hour")]), hour);
        let day = expected("2026-11-21T13:10:00.000Z", "2026-11-22T13:10:00.000Z", 600, 144);
        assert_eq!(told(&[("timeRange", "day")]), day);
        let week = expected("2026-11-15T14:00:00.000Z", "2026-11-22T14:00:00.000Z", 3_600, 168);
        assert_eq!(told(&[("timeRange", "week")]), week);
        assert_eq!(read(&[]).unwrap(), read(&[("timeRange", "hour")]).unwrap());
    }

    #[test]
    fn a_named_range_takes_another_step() {
        assert_eq!(told(&[("timeRange", "day"), ("step", "1")]).3, 1_440);
        let one_day = expected("2026-11-22T00:00:00.000Z", "2026-11-23T00:00:00.000Z", 86_400, 1);
        assert_eq!(told(&[("timeRange", "hour"), ("step", "86400")]), one_day);
        let refused = read(&[("timeRange", "week"), ("step", "60")]).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("step"));
    }

    #[test]
    fn instants_are_iso_or_epoch_milliseconds_and_to_is_now_by_default() {
        let whole = expected("2026-11-22T12:00:00.000Z", "2026-11-22T13:02:00.000Z", 60, 62);
        assert_eq!(told(&[("from", "2026-11-22T13:00:00+01:00")]), whole);
        assert_eq!(told(&[("from", "1795348800000"), ("to", NOW)]), whole);
        assert_eq!(read(&[("from", "0"), ("to", "1")]).unwrap().time_range, None);
    }

    #[test]
    fn without_a_step_the_finest_is_taken_that_keeps_the_answer_small() {
        for (to, step) in [
            ("2026-11-15T02:48:00Z", 60),
            ("2026-11-15T02:48:01Z", 600),
            ("2026-11-16T00:00:00Z", 600),
            ("2026-11-22T00:00:00Z", 3_600),
            ("2026-12-01T00:00:00Z", 86_400),
        ] {
            assert_eq!(told(&[("from", "2026-11-15T00:00:00Z"), ("to", to)]).2, step, "{to}");
        }
    }

    #[test]
    fn a_step_is_never_finer_than_what_is_kept_where_the_span_begins() {
        for (from, to, step) in [
            ("2026-11-14T13:01:00Z", "2026-11-14T14:00:00Z", 60),
            ("2026-11-14T13:00:00Z", "2026-11-14T14:00:00Z", 600),
            ("2026-11-01T00:00:00Z", "2026-11-01T01:00:00Z", 600),
            ("2026-10-01T00:00:00Z", "2026-10-01T01:00:00Z", 3_600),
            ("2024-11-01T00:00:00Z", "2024-11-01T01:00:00Z", 86_400),
            ("1999-11-01T00:00:00Z", "1999-11-01T01:00:00Z", 86_400),
        ] {
            assert_eq!(told(&[("from", from), ("to", to)]).2, step, "{from}");
            assert_eq!(told(&[("from", from), ("to", to), ("step", "60")]).2, step, "{from}");
            assert_eq!(told(&[("from", from), ("to", to), ("step", "86400")]).2, 86_400, "{from}");
        }
    }

    #[test]
    fn an_applications_own_retention_decides_and_a_named_range_keeps_its_points() {
        let now = TimestampMs::from_iso(NOW).unwrap();
        let four_days = 4 * DAY_MS;
        let brief = Retention { minute_ms: four_days, hour_ms: four_days, ..Retention::default() };
        let step = |parameters: &[(&str, &'static str)], kept: &Retention| {
            let named = |name: &str| parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            Span::read(named, kept, now).map(|span| span.window.step().seconds())
        };
        let week = [("timeRange", "week"), ("step", "60")];
        assert_eq!(step(&week, &brief), Ok(600));
        assert!(step(&week, &Retention::default()).is_err(), "so many minutes are kept, and too many");
        assert_eq!(step(&[("timeRange", "week")], &brief), Ok(3_600));
        let five_days_ago = [("from", "2026-11-17T13:00:00Z"), ("to", "2026-11-17T14:00:00Z")];
        assert_eq!(
            (step(&five_days_ago, &brief), step(&five_days_ago, &Retention::default())),
            (Ok(600), Ok(60))
        );
    }

    #[test]
    fn what_means_nothing_is_refused_with_its_field() {
        for (parameters, field) in [
            (&[("timeRange", "year")][..], "timeRange"),
            (&[("timeRange", "")], "timeRange"),
            (&[("timeRange", "Hour")], "timeRange"),
            (&[("timeRange", "hour"), ("from", "0")], "timeRange"),
            (&[("to", "1")], "from"),
            (&[("timeRange", "hour"), ("to", "1")], "from"),
            (&[("from", "yesterday")], "from"),
            (&[("from", "-1")], "from"),
            (&[("from", "2026-11-22T12:00:00")], "from"),
            (&[("from", "0"), ("to", "99999999999999999999")], "to"),
            (&[("from", "2"), ("to", "1")], "from"),
            (&[("from", "2"), ("to", "2")], "from"),
            (&[("from", "2026-11-22T14:00:00Z")], "from"),
            (&[("step", "0")], "step"),
            (&[("step", "-60")], "step"),
            (&[("step", "1.5")], "step"),
            (&[("step", "86401")], "step"),
            (&[("step", "99999999999999999999")], "step"),
            (&[("from", "2016-11-22T00:00:00Z")], "from"),
            (&[("from", "2016-11-22T00:00:00Z"), ("step", "60")], "from"),
            (&[("from", "2026-11-01T00:00:00Z"), ("step", "60")], "step"),
        ] {
            let refused = read(parameters).unwrap_err();
            assert_eq!(refused.field.as_deref(), Some(field), "{parameters:?}");
            assert!(matches!(refused.code, Code::InvalidField | Code::MissingField), "{parameters:?}");
        }
    }

    proptest! {
        #[test]
        fn a_range_holds_now_in_its_last_point_and_moves_with_its_step(ms in 700_000_000..4_000_000_000_000_i64) {
            let now = TimestampMs::clamped(ms);
            for (range, points) in TimeRange::ALL.into_iter().zip([60, 144, 168]) {
                let window = range.window(now);
                prop_assert_eq!(window.points(), points);
                prop_assert_eq!(window.index_of(now), Some(points - 1));
                prop_assert_eq!(range.window(now.aligned_to(range.step().ms())), window);
                prop_assert_eq!(Span::of_range(range, None, &Retention::default(), now).unwrap().window, window);
            }
        }
    }
}
