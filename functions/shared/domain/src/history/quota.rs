//! How large an answer may be: its points, series and aggregates together.
//!
//! Owns the caps and their refusals. What a query asks for is refused where it is more; what it leaves to us is chosen
//! so that it fits. Ruled by docs/PROTOCOL.md, "HTTP".

use std::collections::BTreeSet;

use super::Aggregate;
use super::selection::{Chosen, MAX_PATTERN_SERIES};
use crate::rejection::{Code, Rejection};
use crate::window::MAX_POINTS;

/// Most figures of one answer: points times series times aggregates. A figure takes at most 25 bytes, so they take
/// five of the six megabytes that a Lambda function may answer, and names and timestamps the rest.
pub const MAX_FIGURES: usize = 200_000;

/// Most points of all series together, whatever is told of each: all that a query without a list of series can have.
/// Each is a bucket of 400 bytes to a kilobyte while it is folded, so they fit into the smallest function's memory.
pub const MAX_BUCKETS: usize = MAX_POINTS * MAX_PATTERN_SERIES;

/// Which cap was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    Patterns,
    Size,
}

/// The series of one answer, counted as they turn up.
#[derive(Debug)]
pub(super) struct Quota {
    points: usize,
    /// How many aggregates were asked for; 0 where that was left to us, or where only totals are told.
    aggregates: usize,
    series: usize,
    pattern_series: usize,
    passed: Option<Passed>,
}

impl Quota {
    /// That of an answer with so many points, each of which tells so many aggregates.
    pub(super) fn of(points: usize, aggregates: usize) -> Self {
        Self { points, aggregates, series: 0, pattern_series: 0, passed: None }
    }

    /// Most series that fit.
    fn most(&self) -> usize {
        let points = self.points.max(1);
        (MAX_FIGURES / (points * self.aggregates.max(1))).min(MAX_BUCKETS / points)
    }

    /// Counts one series more, or notes that it is one too many.
    pub(super) fn admits(&mut self, chosen: Chosen) -> bool {
        if chosen == Chosen::ByPattern && self.pattern_series == MAX_PATTERN_SERIES {
            self.passed = Some(Passed::Patterns);
            return false;
        }
        if self.series == self.most() {
            self.passed = Some(Passed::Size);
            return false;
        }
        self.series += 1;
        self.pattern_series += usize::from(chosen == Chosen::ByPattern);
        true
    }

    /// Whether there was a series too many.
    pub(super) fn is_passed(&self) -> bool {
        self.passed.is_some()
    }

    /// The counts, to come back to where a document proves corrupt.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.series, self.pattern_series)
    }

    /// Takes back what was counted since, and that it was too much.
    pub(super) fn restore(&mut self, (series, pattern_series): (usize, usize)) {
        (self.series, self.pattern_series, self.passed) = (series, pattern_series, None);
    }

    /// Passes where no series was one too many.
    ///
    /// # Errors
    /// `too_many_series`, blaming `series`, with the numbers and what to narrow.
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let message = match self.passed {
            None => return Ok(()),
            Some(Passed::Patterns) => {
                format!("series matches more than {MAX_PATTERN_SERIES} series, name those that you want")
            }
            Some(Passed::Size) => self.too_large(),
        };
        Err(Rejection::new(Code::TooManySeries, message).at("series"))
    }

    fn too_large(&self) -> String {
        let (most, points) = (self.most(), self.points);
        let (of_each, cap) = match self.aggregates {
            aggregates if most < MAX_BUCKETS / points.max(1) => {
                (format!(" with {aggregates} aggregates"), format!("{MAX_FIGURES} figures"))
            }
            _ => (String::new(), format!("{MAX_BUCKETS} points of all series")),
        };
        format!(
            "series are more than the {most} that fit {points} points{of_each}, for at most {cap} are answered: ask \
             for fewer series or aggregates, a coarser step or a shorter span"
        )
    }
}

/// What is told of each of so many points and series where a query names no aggregates: the first of
/// [`Aggregate::DEFAULT`] that fit, at least two.
pub(super) fn default_aggregates(points: usize, series: usize) -> BTreeSet<Aggregate> {
    let fit = MAX_FIGURES / (points * series).max(1);
    Aggregate::DEFAULT.into_iter().take(fit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many series of a kind are admitted before one is too many, and the refusal of that one.
    fn admitted(points: usize, aggregates: usize, chosen: Chosen) -> (usize, Rejection) {
        let mut quota = Quota::of(points, aggregates);
        let mut admitted = 0;
        while quota.admits(chosen) {
            assert_eq!(quota.check(), Ok(()));
            admitted += 1;
        }
        (admitted, quota.check().unwrap_err())
    }

    #[test]
    fn the_product_of_points_series_and_aggregates_is_capped() {
        for (points, aggregates, series) in [(1_440, 9, 15), (1_440, 5, 27), (168, 9, 132), (60, 9, 370)] {
            assert!(points * aggregates * series <= MAX_FIGURES);
            assert!(points * aggregates * (series + 1) > MAX_FIGURES);
            let (most, refusal) = admitted(points, aggregates, Chosen::ByName);
            assert_eq!(most, series, "{points} x {aggregates}");
            assert_eq!((refusal.code, refusal.field.as_deref()), (Code::TooManySeries, Some("series")));
        }
        assert_eq!(
            admitted(1_440, 9, Chosen::ByName).1.message,
            "series are more than the 15 that fit 1440 points with 9 aggregates, for at most 200000 figures are \
             answered: ask for fewer series or aggregates, a coarser step or a shorter span"
        );
    }

    #[test]
    fn the_points_of_all_series_are_capped_whatever_is_told_of_them() {
        for aggregates in [0, 1, 2] {
            let (most, refusal) = admitted(1_440, aggregates, Chosen::ByName);
            assert_eq!(most, MAX_PATTERN_SERIES);
            assert!(refusal.message.contains("92160 points of all series"), "{}", refusal.message);
        }
    }

    #[test]
    fn a_query_that_names_neither_series_nor_aggregates_always_fits() {
        for points in 1..=MAX_POINTS {
            assert!(Quota::of(points, 0).most() >= MAX_PATTERN_SERIES);
            let aggregates = default_aggregates(points, MAX_PATTERN_SERIES);
            assert!(aggregates.len() >= 2 && points * MAX_PATTERN_SERIES * aggregates.len() <= MAX_FIGURES);
        }
        // All of them over each named range, and over a day of minutes of the library's series.
        assert_eq!(default_aggregates(168, MAX_PATTERN_SERIES), Aggregate::DEFAULT.into());
        assert_eq!(default_aggregates(1_440, 23), Aggregate::DEFAULT.into());
    }

    #[test]
    fn what_is_taken_back_counts_no_more() {
        let mut quota = Quota::of(1_440, 9);
        let before = quota.counts();
        while quota.admits(Chosen::ByName) {}
        quota.restore(before);
        assert_eq!((quota.check(), quota.admits(Chosen::ByPattern)), (Ok(()), true));
    }
}
