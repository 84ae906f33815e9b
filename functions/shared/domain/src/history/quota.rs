//! How many series an answer may have, given its points and aggregates (docs/PROTOCOL.md, "HTTP").

use std::collections::BTreeSet;

use super::aggregate::Aggregate;
use super::selection::{MAX_PATTERN_SERIES, SelectedBy};
use crate::rejection::{Code, Rejection};
use crate::window::MAX_POINTS;

/// Most figures of one answer: points times series times aggregates. A figure takes at most 25 bytes, so they take
/// five of the six megabytes that a Lambda function may return, and names and timestamps the rest.
pub const MAX_FIGURES: usize = 200_000;

/// Most points of all series together, for any aggregates: what a query without a list of series can have at most.
/// Each is a bucket of 400 bytes to a kilobyte while it is folded, so they fit into the smallest function's memory.
pub const MAX_BUCKETS: usize = MAX_POINTS * MAX_PATTERN_SERIES;

/// The limit that was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exceeded {
    PatternSeries,
    AnswerSize,
}

/// Counts the series of one answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quota {
    points: usize,
    /// How many aggregates were requested; 0 for the default ones and for totals.
    aggregates: usize,
    series: usize,
    pattern_series: usize,
    exceeded: Option<Exceeded>,
}

impl Quota {
    /// The quota of an answer with this many points, and this many requested aggregates of each.
    pub(super) fn new(points: usize, aggregates: usize) -> Self {
        Self { points, aggregates, series: 0, pattern_series: 0, exceeded: None }
    }

    fn max_series(&self) -> usize {
        let points = self.points.max(1);
        (MAX_FIGURES / (points * self.aggregates.max(1))).min(MAX_BUCKETS / points)
    }

    /// Counts one more series and returns true, or records that it exceeds a limit.
    pub(super) fn admit(&mut self, selected: SelectedBy) -> bool {
        if selected == SelectedBy::Pattern && self.pattern_series == MAX_PATTERN_SERIES {
            self.exceeded = Some(Exceeded::PatternSeries);
            return false;
        }
        if self.series == self.max_series() {
            self.exceeded = Some(Exceeded::AnswerSize);
            return false;
        }
        self.series += 1;
        self.pattern_series += usize::from(selected == SelectedBy::Pattern);
        true
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.exceeded.is_some()
    }

    /// Fails if a series exceeded a limit.
    ///
    /// # Errors
    /// `too_many_series` of the field `series`, with the limit and how to stay below it.
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let message = match self.exceeded {
            None => return Ok(()),
            Some(Exceeded::PatternSeries) => {
                format!("series matches more than {MAX_PATTERN_SERIES} series: list the names that you need")
            }
            Some(Exceeded::AnswerSize) => self.size_message(),
        };
        Err(Rejection::new(Code::TooManySeries, message).at("series"))
    }

    fn size_message(&self) -> String {
        let (max, points) = (self.max_series(), self.points);
        let is_limit_of_figures = max < MAX_BUCKETS / points.max(1);
        let (aggregates, limit) = if is_limit_of_figures {
            (format!(" with {} aggregates", self.aggregates), format!("{MAX_FIGURES} figures"))
        } else {
            (String::new(), format!("{MAX_BUCKETS} points of all series"))
        };
        format!(
            "series are more than the {max} that fit {points} points{aggregates}, an answer has at most {limit}: \
             ask for fewer series or aggregates, a coarser step or a shorter span"
        )
    }
}

/// The aggregates of an answer whose query names none: as many of the first of [`Aggregate::DEFAULT`] as fit, at
/// least two.
pub(super) fn default_aggregates(points: usize, series: usize) -> BTreeSet<Aggregate> {
    let fit = MAX_FIGURES / (points * series).max(1);
    Aggregate::DEFAULT.into_iter().take(fit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many series are admitted, and the rejection of the next one.
    fn admitted(points: usize, aggregates: usize) -> (usize, Rejection) {
        let mut quota = Quota::new(points, aggregates);
        let mut admitted = 0;
        while quota.admit(SelectedBy::Name) {
            assert_eq!(quota.check(), Ok(()));
            admitted += 1;
        }
        (admitted, quota.check().unwrap_err())
    }

    #[test]
    fn product_of_points_series_and_aggregates_is_limited() {
        for (points, aggregates, series) in [(1_440, 9, 15), (1_440, 5, 27), (168, 9, 132), (60, 9, 370)] {
            assert!(points * aggregates * series <= MAX_FIGURES);
            assert!(points * aggregates * (series + 1) > MAX_FIGURES);
            let (max, rejected) = admitted(points, aggregates);
            assert_eq!(max, series, "{points} x {aggregates}");
            assert_eq!((rejected.code, rejected.field.as_deref()), (Code::TooManySeries, Some("series")));
        }
        for aggregates in [0, 1, 2] {
            let (max, rejected) = admitted(1_440, aggregates);
            assert_eq!(max, MAX_PATTERN_SERIES);
            assert!(rejected.message.contains("92160 points of all series"), "{}", rejected.message);
        }
        assert_eq!(
            admitted(1_440, 9).1.message,
            "series are more than the 15 that fit 1440 points with 9 aggregates, an answer has at most 200000 \
             figures: ask for fewer series or aggregates, a coarser step or a shorter span"
        );
    }

    #[test]
    fn query_without_series_and_aggregates_always_fits() {
        for points in 1..=MAX_POINTS {
            assert!(Quota::new(points, 0).max_series() >= MAX_PATTERN_SERIES);
            let aggregates = default_aggregates(points, MAX_PATTERN_SERIES);
            assert!(aggregates.len() >= 2 && points * MAX_PATTERN_SERIES * aggregates.len() <= MAX_FIGURES);
        }
        // All of them for a week of hours, and for a day of minutes of the library's series.
        assert_eq!(default_aggregates(168, MAX_PATTERN_SERIES), Aggregate::DEFAULT.into());
        assert_eq!(default_aggregates(1_440, 23), Aggregate::DEFAULT.into());
    }
}
