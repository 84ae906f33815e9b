//! The window that a query answers: whole points of equal width.

use crate::rejection::Rejection;
use crate::resolution::Resolution;
use crate::time::TimestampMs;
use crate::time_span::TimeSpan;

mod instant;
pub mod query_span;
pub mod time_range;

/// Most points of one series in an answer: a day of minutes (docs/PROTOCOL.md, "HTTP").
pub const MAX_POINTS: usize = 1_440;

/// A half-open span `[from, to)`, aligned to `step` at both ends and at most [`MAX_POINTS`] steps long.
///
/// Steps are counted from 1970 in UTC, so equal steps of any two windows are the same spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    span: TimeSpan,
    step: Resolution,
}

impl Window {
    /// The smallest window of `step` that covers `span`.
    ///
    /// # Errors
    /// `invalid_field`: `from` if it is not before `to`, `step` if the window has more than [`MAX_POINTS`]
    /// points (`from` if no coarser step would do either).
    pub fn covering(span: TimeSpan, step: Resolution) -> Result<Self, Rejection> {
        if span.from >= span.to {
            return Err(Rejection::invalid("from", "must be before to"));
        }
        let window = Self::aligned(span, step);
        if window.points() <= MAX_POINTS {
            return Ok(window);
        }
        let fits_no_step = Self::aligned(span, Resolution::Day).points() > MAX_POINTS;
        let field = if fits_no_step { "from" } else { "step" };
        let (points, seconds) = (window.points(), step.seconds());
        let demand = format!("asks for {points} points of {seconds} s, at most {MAX_POINTS} are answered");
        Err(Rejection::invalid(field, demand))
    }

    fn aligned(span: TimeSpan, step: Resolution) -> Self {
        let to = span.to.plus_ms(step.ms() - 1).aligned_to(step.ms());
        Self { span: TimeSpan::new(span.from.aligned_to(step.ms()), to), step }
    }

    /// Its first instant.
    pub fn from(&self) -> TimestampMs {
        self.span.from
    }

    /// The first instant after it.
    pub fn to(&self) -> TimestampMs {
        self.span.to
    }

    /// The window of as many points that ends where this one begins, or fewer at the beginning of 1970.
    #[must_use]
    pub fn before(&self) -> Self {
        Self { span: TimeSpan::new(self.from().plus_ms(-self.span.ms()), self.from()), ..*self }
    }

    /// Width of each of its points.
    pub fn step(&self) -> Resolution {
        self.step
    }

    /// How many points it has.
    pub fn points(&self) -> usize {
        usize::try_from(self.span.ms() / self.step.ms()).unwrap_or(0)
    }

    /// Where each point starts, ascending; the first is [`Self::from`], and each is [`Self::step`] wide.
    pub fn starts(&self) -> impl Iterator<Item = TimestampMs> + use<> {
        let (from, width_ms) = (self.from(), self.step.ms());
        (0_i64..).take(self.points()).map(move |index| from.plus_ms(index * width_ms))
    }

    /// Index of the point that contains `instant`, from 0; `None` outside the window.
    pub fn index_of(&self, instant: TimestampMs) -> Option<usize> {
        if !self.span.contains(instant) {
            return None;
        }
        usize::try_from(instant.ms_since(self.from()) / self.step.ms()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::DAY_MS;
    use proptest::prelude::*;

    fn at(text: &str) -> TimestampMs {
        TimestampMs::from_iso(text).unwrap()
    }

    fn any_step() -> impl Strategy<Value = Resolution> {
        prop::sample::select(&Resolution::ALL[..])
    }

    #[test]
    fn both_ends_are_rounded_outwards() {
        let span = TimeSpan::new(at("2026-11-22T12:00:30Z"), at("2026-11-22T12:05:00.001Z"));
        let window = Window::covering(span, Resolution::Minute).unwrap();
        assert_eq!(window.from(), at("2026-11-22T12:00:00Z"));
        assert_eq!(window.to(), at("2026-11-22T12:06:00Z"));
        assert_eq!(window.points(), 6);
        assert_eq!(window.index_of(window.from()), Some(0));
        assert_eq!(window.index_of(window.to().plus_ms(-1)), Some(5));
        assert_eq!(window.index_of(window.to()), None);
        assert_eq!(window.index_of(window.from().plus_ms(-1)), None);
    }

    #[test]
    fn the_limit_of_points_is_inclusive_and_names_the_field() {
        let from = at("2026-11-01T00:00:00Z");
        let window = |span_ms, step| Window::covering(TimeSpan::new(from, from.plus_ms(span_ms)), step);
        assert_eq!(window(DAY_MS, Resolution::Minute).unwrap().points(), MAX_POINTS);
        let rejected = window(DAY_MS + 1, Resolution::Minute).unwrap_err();
        assert_eq!(rejected.field.as_deref(), Some("step"));
        assert_eq!(rejected.message, "step asks for 1441 points of 60 s, at most 1440 are answered");
        for step in Resolution::ALL {
            assert_eq!(window(3_650 * DAY_MS, step).unwrap_err().field.as_deref(), Some("from"));
        }
    }

    proptest! {
        #[test]
        fn every_window_of_any_two_instants_has_a_point(from: i64, span_ms in 1..=DAY_MS, step in any_step()) {
            for from in [from, from % 253_402_128_000_000, 253_402_128_000_000 - span_ms / 2] {
                let from = TimestampMs::clamped(from);
                let Ok(window) = Window::covering(TimeSpan::new(from, from.plus_ms(span_ms)), step) else {
                    prop_assert_eq!(from, from.plus_ms(span_ms), "only an empty span is refused");
                    continue;
                };
                prop_assert!((1..=MAX_POINTS + 1).contains(&window.points()));
                prop_assert_eq!(window.index_of(from), Some(0));
                prop_assert!(window.before().points() <= window.points());
            }
        }

        #[test]
        fn a_window_exceeds_its_span_by_less_than_a_step(
            from in 0..4_000_000_000_000_i64, points in 0..1_438_i64, rest_ms in 1..DAY_MS, step in any_step(),
        ) {
            let from = TimestampMs::clamped(from);
            let to = from.plus_ms(points * step.ms() + rest_ms % step.ms() + 1);
            let window = Window::covering(TimeSpan::new(from, to), step).unwrap();
            prop_assert_eq!(window.from(), window.from().aligned_to(step.ms()));
            prop_assert_eq!(window.to(), window.to().aligned_to(step.ms()));
            prop_assert!((0..step.ms()).contains(&from.ms_since(window.from())));
            prop_assert!((0..step.ms()).contains(&window.to().ms_since(to)));
            prop_assert_eq!(Window::covering(window.span, step).unwrap(), window);
        }

        #[test]
        fn each_instant_lies_in_the_point_of_its_index(
            from in 0..4_000_000_000_000_i64, points in 1..200_i64, inside in 0.0..1.0, step in any_step(),
        ) {
            let from = TimestampMs::clamped(from).aligned_to(step.ms());
            let window = Window::covering(TimeSpan::new(from, from.plus_ms(points * step.ms())), step).unwrap();
            let starts: Vec<_> = window.starts().collect();
            prop_assert_eq!(starts.len(), window.points());
            let instant = from.plus_ms((inside * (points * step.ms()) as f64) as i64);
            let start = starts[window.index_of(instant).unwrap()];
            prop_assert!(start <= instant && instant < start.plus_ms(step.ms()));
        }
    }
}
