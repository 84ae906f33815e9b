//! The span that a query asks for, cut into points of equal width.
//!
//! Owns the stored resolutions, their alignment and the cap on points. Refuses to know what a point holds.
//! Ruled by design.md §6, "Resolutions"; how a query words its span is read in [`query`].

use crate::rejection::Rejection;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, TimestampMs};

pub mod query;

/// Most points that one series of an answer has: a day of minutes (protocol.md §3).
pub const MAX_POINTS: usize = 1_440;

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

/// A half-open span `[from, to)`, aligned to `step` at both ends and at most [`MAX_POINTS`] steps long.
///
/// Steps are counted from 1970 in UTC, so equal steps of any two windows are the same spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: TimestampMs,
    to: TimestampMs,
    step: Resolution,
}

impl Window {
    /// The smallest window of `step` that covers `[from, to)`.
    ///
    /// # Errors
    /// `invalid_field`: `from` where it is not before `to`, `step` where the window has more than [`MAX_POINTS`]
    /// points (`from` where no coarser step would do either).
    pub fn covering(from: TimestampMs, to: TimestampMs, step: Resolution) -> Result<Self, Rejection> {
        if from >= to {
            return Err(Rejection::invalid("from", "must be before to"));
        }
        let window = Self::aligned(from, to, step);
        if window.points() <= MAX_POINTS {
            return Ok(window);
        }
        let field =
            if Self::aligned(from, to, Resolution::Day).points() > MAX_POINTS { "from" } else { "step" };
        let (points, seconds) = (window.points(), step.seconds());
        let demand = format!("asks for {points} points of {seconds} s, at most {MAX_POINTS} are answered");
        Err(Rejection::invalid(field, demand))
    }

    fn aligned(from: TimestampMs, to: TimestampMs, step: Resolution) -> Self {
        let end = to.plus_ms(step.ms() - 1).aligned_to(step.ms());
        Self { from: from.aligned_to(step.ms()), to: end, step }
    }

    /// Its first instant.
    pub fn from(&self) -> TimestampMs {
        self.from
    }

    /// The first instant after it.
    pub fn to(&self) -> TimestampMs {
        self.to
    }

    /// The window of as many points that ends where this one begins, or fewer at the beginning of 1970.
    #[must_use]
    pub fn before(&self) -> Self {
        Self { from: self.from.plus_ms(-self.to.ms_since(self.from)), to: self.from, ..*self }
    }

    /// Width of each of its points.
    pub fn step(&self) -> Resolution {
        self.step
    }

    /// How many points it has.
    pub fn points(&self) -> usize {
        usize::try_from(self.to.ms_since(self.from) / self.step.ms()).unwrap_or(0)
    }

    /// Where each point starts, ascending; the first is [`Self::from`], and each is [`Self::step`] wide.
    pub fn starts(&self) -> impl Iterator<Item = TimestampMs> + use<> {
        let (from, width_ms) = (self.from, self.step.ms());
        (0_i64..).take(self.points()).map(move |index| from.plus_ms(index * width_ms))
    }

    /// Which point holds `instant`, counted from 0; `None` outside the window.
    pub fn index_of(&self, instant: TimestampMs) -> Option<usize> {
        if !self.contains(instant) {
            return None;
        }
        usize::try_from(instant.ms_since(self.from) / self.step.ms()).ok()
    }

    /// Whether `instant` lies in it: `from` does, `to` does not.
    pub fn contains(&self, instant: TimestampMs) -> bool {
        self.from <= instant && instant < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> TimestampMs {
        TimestampMs::from_iso(text).unwrap()
    }

    fn any_step() -> impl Strategy<Value = Resolution> {
        prop::sample::select(&Resolution::ALL[..])
    }

    #[test]
    fn both_ends_are_rounded_outwards() {
        let (from, to) = (at("2026-11-22T12:00:30Z"), at("2026-11-22T12:05:00.001Z"));
        let window = Window::covering(from, to, Resolution::Minute).unwrap();
        assert_eq!(window.from(), at("2026-11-22T12:00:00Z"));
        assert_eq!(window.to(), at("2026-11-22T12:06:00Z"));
        assert_eq!(window.points(), 6);
        assert_eq!(window.index_of(window.from()), Some(0));
        assert_eq!(window.index_of(window.to().plus_ms(-1)), Some(5));
        assert_eq!(window.index_of(window.to()), None);
        assert_eq!(window.index_of(window.from().plus_ms(-1)), None);
    }

    #[test]
    fn the_cap_on_points_is_inclusive_and_blames_what_can_be_changed() {
        let from = at("2026-11-01T00:00:00Z");
        let window = |span_ms, step| Window::covering(from, from.plus_ms(span_ms), step);
        assert_eq!(window(DAY_MS, Resolution::Minute).unwrap().points(), MAX_POINTS);
        let refused = window(DAY_MS + 1, Resolution::Minute).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("step"));
        assert_eq!(refused.message, "step asks for 1441 points of 60 s, at most 1440 are answered");
        for step in Resolution::ALL {
            assert_eq!(window(3_650 * DAY_MS, step).unwrap_err().field.as_deref(), Some("from"));
        }
    }

    #[test]
    fn an_empty_or_backward_span_is_refused() {
        let from = at("2026-11-22T12:00:30Z");
        for to in [from, from.plus_ms(-1)] {
            assert_eq!(
                Window::covering(from, to, Resolution::Hour).unwrap_err().field.as_deref(),
                Some("from")
            );
        }
    }

    #[test]
    fn a_step_is_rounded_up_to_what_is_stored() {
        let rounded = |seconds| Resolution::at_least(seconds).map(Resolution::seconds);
        let steps = [1, 60, 61, 600, 601, 3_600, 3_601, 86_400, 86_401].map(rounded);
        let stored = [60, 60, 600, 600, 3_600, 3_600, 86_400, 86_400].map(Some);
        assert_eq!(steps, [&stored[..], &[None]].concat()[..]);
    }

    proptest! {
        #[test]
        fn a_window_covers_what_was_asked_and_less_than_a_step_more(
            from in 0..4_000_000_000_000_i64, points in 0..1_438_i64, rest_ms in 1..DAY_MS, step in any_step(),
        ) {
            let from = TimestampMs::clamped(from);
            let to = from.plus_ms(points * step.ms() + rest_ms % step.ms() + 1);
            let window = Window::covering(from, to, step).unwrap();
            prop_assert_eq!(window.from(), window.from().aligned_to(step.ms()));
            prop_assert_eq!(window.to(), window.to().aligned_to(step.ms()));
            prop_assert!((0..step.ms()).contains(&from.ms_since(window.from())));
            prop_assert!((0..step.ms()).contains(&window.to().ms_since(to)));
            prop_assert_eq!(Window::covering(window.from(), window.to(), step).unwrap(), window);
        }

        #[test]
        fn every_instant_of_a_window_lies_in_the_one_point_that_its_index_names(
            from in 0..4_000_000_000_000_i64, points in 1..200_i64, inside in 0.0..1.0, step in any_step(),
        ) {
            let from = TimestampMs::clamped(from).aligned_to(step.ms());
            let window = Window::covering(from, from.plus_ms(points * step.ms()), step).unwrap();
            let starts: Vec<_> = window.starts().collect();
            prop_assert_eq!(starts.len(), window.points());
            let instant = from.plus_ms((inside * (points * step.ms()) as f64) as i64);
            let start = starts[window.index_of(instant).unwrap()];
            prop_assert!(start <= instant && instant < start.plus_ms(step.ms()));
        }
    }
}
