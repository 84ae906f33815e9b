//! Reads the span of a query: `timeRange`, or `from` and `to`, each with or without `step`.

use super::Window;
use super::instant::instant;
use super::time_range::TimeRange;
use crate::rejection::Rejection;
use crate::resolution::Resolution;
use crate::rollup::Retention;
use crate::time::TimestampMs;
use crate::time_span::TimeSpan;

/// Most points of an answer whose query names no step: those of the longest named range, a week of hours.
/// With it, an hour, a day and a week get the same step whether asked for by name or by `from` and `to`.
const DEFAULT_POINTS: i64 = 168;

/// What a query asks for: a window, and the name of its range if it used one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuerySpan {
    /// The named range, absent if `from` was given.
    pub time_range: Option<TimeRange>,
    /// The points to answer.
    pub window: Window,
}

impl QuerySpan {
    /// Reads the span of a query from its parameters, looked up by name.
    ///
    /// Without `timeRange` and `from` the span is the last hour; `to` defaults to `now`. `step` is in whole seconds,
    /// rounded up to a [`Resolution`] that `retention` still keeps at the start of the span. Without `step`, a named
    /// range uses its own, and any other span the finest kept one that covers it with at most 168 points.
    ///
    /// # Errors
    /// `invalid_field` for malformed ranges, times and steps, for `timeRange` together with `from` or `to`, and as
    /// in [`Window::covering`]; `missing_field` for `to` without `from`.
    pub fn read<'q>(
        parameter: impl Fn(&str) -> Option<&'q str>,
        retention: &Retention,
        now: TimestampMs,
    ) -> Result<Self, Rejection> {
        let step = parameter("step").map(step).transpose()?;
        let (from, to) = (parameter("from"), parameter("to"));
        let Some(from) = from else {
            if to.is_some() {
                return Err(Rejection::missing("from"));
            }
            let range = parameter("timeRange").map_or(Ok(TimeRange::Hour), TimeRange::read)?;
            return Self::of_range(range, step, retention, now);
        };
        if parameter("timeRange").is_some() {
            return Err(Rejection::invalid("timeRange", "cannot be combined with from and to"));
        }
        let from = instant("from", from)?;
        let to = to.map_or(Ok(now), |to| instant("to", to))?;
        let span = TimeSpan::new(from, to);
        let step = step.unwrap_or_else(|| default_step(span)).max(retention.finest_at(from, now));
        Ok(Self { time_range: None, window: Window::covering(span, step)? })
    }

    fn of_range(
        range: TimeRange,
        step: Option<Resolution>,
        retention: &Retention,
        now: TimestampMs,
    ) -> Result<Self, Rejection> {
        let kept = |step: Resolution| step.max(retention.finest_at(range.span(now, step).from, now));
        let step = step.map_or(range.step(), kept);
        Ok(Self { time_range: Some(range), window: Window::covering(range.span(now, step), step)? })
    }
}

/// The finest resolution that divides `span` into at most [`DEFAULT_POINTS`], or else the coarsest.
fn default_step(span: TimeSpan) -> Resolution {
    let fits = |step: &Resolution| span.ms() <= DEFAULT_POINTS * step.ms();
    Resolution::ALL.into_iter().find(fits).unwrap_or(Resolution::Day)
}

fn step(text: &str) -> Result<Resolution, Rejection> {
    let seconds = text.parse::<i64>().ok().filter(|seconds| *seconds > 0);
    seconds.and_then(Resolution::at_least).ok_or_else(|| {
        let coarsest = Resolution::Day.seconds();
        Rejection::invalid("step", format!("must be whole seconds from 1 to {coarsest}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::Code;
    use crate::time::DAY_MS;
    use proptest::prelude::*;

    const NOW: &str = "2026-11-22T13:01:01.387Z";

    fn read(parameters: &[(&str, &'static str)]) -> Result<QuerySpan, Rejection> {
        read_kept(parameters, &Retention::default())
    }

    fn read_kept(parameters: &[(&str, &'static str)], kept: &Retention) -> Result<QuerySpan, Rejection> {
        let named = |name: &str| parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        QuerySpan::read(named, kept, TimestampMs::EXAMPLE)
    }

    fn points_of(parameters: &[(&str, &'static str)]) -> (String, String, i64, usize) {
        let window = read(parameters).unwrap().window;
        (window.from().to_string(), window.to().to_string(), window.step().seconds(), window.points())
    }

    fn expected(from: &str, to: &str, step: i64, points: usize) -> (String, String, i64, usize) {
        (from.to_owned(), to.to_owned(), step, points)
    }

    #[test]
    fn named_ranges_end_with_the_current_point() {
        let hour = expected("2026-11-22T12:02:00.000Z", "2026-11-22T13:02:00.000Z", 60, 60);
        assert_eq!(points_of(&[("timeRange", "hour")]), hour);
        let day = expected("2026-11-21T13:10:00.000Z", "2026-11-22T13:10:00.000Z", 600, 144);
        assert_eq!(points_of(&[("timeRange", "day")]), day);
        let week = expected("2026-11-15T14:00:00.000Z", "2026-11-22T14:00:00.000Z", 3_600, 168);
        assert_eq!(points_of(&[("timeRange", "week")]), week);
        assert_eq!(read(&[]).unwrap(), read(&[("timeRange", "hour")]).unwrap());
    }

    #[test]
    fn a_named_range_takes_another_step() {
        assert_eq!(points_of(&[("timeRange", "day"), ("step", "1")]).3, 1_440);
        let one_day = expected("2026-11-22T00:00:00.000Z", "2026-11-23T00:00:00.000Z", 86_400, 1);
        assert_eq!(points_of(&[("timeRange", "hour"), ("step", "86400")]), one_day);
        let rejected = read(&[("timeRange", "week"), ("step", "60")]).unwrap_err();
        assert_eq!(rejected.field.as_deref(), Some("step"));
    }

    #[test]
    fn instants_are_iso_or_epoch_ms_and_to_defaults_to_now() {
        let whole = expected("2026-11-22T12:00:00.000Z", "2026-11-22T13:02:00.000Z", 60, 62);
        assert_eq!(points_of(&[("from", "2026-11-22T13:00:00+01:00")]), whole);
        assert_eq!(points_of(&[("from", "1795348800000"), ("to", NOW)]), whole);
        assert_eq!(read(&[("from", "0"), ("to", "1")]).unwrap().time_range, None);
    }

    #[test]
    fn the_default_step_keeps_an_answer_within_168_points() {
        for (to, step) in [
            ("2026-11-15T02:48:00Z", 60),
            ("2026-11-15T02:48:01Z", 600),
            ("2026-11-16T00:00:00Z", 600),
            ("2026-11-22T00:00:00Z", 3_600),
            ("2026-12-01T00:00:00Z", 86_400),
        ] {
            assert_eq!(points_of(&[("from", "2026-11-15T00:00:00Z"), ("to", to)]).2, step, "{to}");
        }
    }

    #[test]
    fn a_step_is_never_finer_than_what_is_kept() {
        for (from, to, step) in [
            ("2026-11-14T13:01:00Z", "2026-11-14T14:00:00Z", 60),
            ("2026-11-14T13:00:00Z", "2026-11-14T14:00:00Z", 600),
            ("2026-11-01T00:00:00Z", "2026-11-01T01:00:00Z", 600),
            ("2026-10-01T00:00:00Z", "2026-10-01T01:00:00Z", 3_600),
            ("2024-11-01T00:00:00Z", "2024-11-01T01:00:00Z", 86_400),
            ("1999-11-01T00:00:00Z", "1999-11-01T01:00:00Z", 86_400),
        ] {
            assert_eq!(points_of(&[("from", from), ("to", to)]).2, step, "{from}");
            assert_eq!(points_of(&[("from", from), ("to", to), ("step", "60")]).2, step, "{from}");
            assert_eq!(points_of(&[("from", from), ("to", to), ("step", "86400")]).2, 86_400, "{from}");
        }
    }

    #[test]
    fn the_apps_own_retention_limits_the_step() {
        let four_days = 4 * DAY_MS;
        let brief = Retention { minute_ms: four_days, hour_ms: four_days, ..Retention::default() };
        let step = |parameters: &[(&str, &'static str)], kept: &Retention| {
            read_kept(parameters, kept).map(|span| span.window.step().seconds())
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
    fn malformed_parameters_are_rejected_with_their_field() {
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
            (&[("from", "253402207200000"), ("to", "253402207260000")], "from"),
            (&[("from", "253402127999999"), ("to", "253402300799999")], "to"),
            (&[("from", "2"), ("to", "1")], "from"),
            (&[("from", "2"), ("to", "2")], "from"),
            (&[("from", "1795348800"), ("to", "1795352400")], "from"),
            (&[("from", "1795348800000"), ("to", "1795352400")], "to"),
            (&[("from", "2026-11-22T14:00:00Z")], "from"),
            (&[("step", "0")], "step"),
            (&[("step", "-60")], "step"),
            (&[("step", "1.5")], "step"),
            (&[("step", "fast")], "step"),
            (&[("step", "86401")], "step"),
            (&[("step", "99999999999999999999")], "step"),
            (&[("from", "2016-11-22T00:00:00Z")], "from"),
            (&[("from", "2016-11-22T00:00:00Z"), ("step", "60")], "from"),
            (&[("from", "2026-11-01T00:00:00Z"), ("step", "60")], "step"),
        ] {
            let rejected = read(parameters).unwrap_err();
            assert_eq!(rejected.field.as_deref(), Some(field), "{parameters:?}");
            assert!(matches!(rejected.code, Code::InvalidField | Code::MissingField), "{parameters:?}");
        }
    }

    proptest! {
        #[test]
        fn now_lies_in_the_last_point_of_each_range(ms in 700_000_000..4_000_000_000_000_i64) {
            let now = TimestampMs::clamped(ms);
            for (range, points) in [(TimeRange::Hour, 60), (TimeRange::Day, 144), (TimeRange::Week, 168)] {
                let at = |now| QuerySpan::of_range(range, None, &Retention::default(), now).unwrap().window;
                prop_assert_eq!(at(now).points(), points);
                prop_assert_eq!(at(now).index_of(now), Some(points - 1));
                prop_assert_eq!(at(now.aligned_to(range.step().ms())), at(now));
            }
        }
    }
}
