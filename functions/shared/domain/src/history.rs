//! What happened to an application: raw reports folded into the answers of the HTTP interface.
//!
//! Owns how a history query is worded, how reports become points, and how an answer is written as JSON and CSV.
//! Refuses to read a table or a clock. Ruled by protocol.md §3 and design.md §6.

use std::collections::BTreeSet;

use self::quota::Quota;
use crate::rejection::Rejection;
use crate::rollup::Retention;
use crate::time::TimestampMs;
use crate::window::query_span::QuerySpan;

mod aggregate;
mod answer;
mod csv;
mod fold;
mod latest;
mod logs;
mod number;
mod overview;
mod quota;
mod read_plan;
mod selection;
mod series_filter;
mod summary;
#[cfg(test)]
mod tests;
mod tree;
mod truncated;

pub use aggregate::Aggregate;
pub use answer::{Column, HistoryAnswer, SeriesHistory};
pub use fold::HistoryFold;
pub use latest::{LatestAnswer, LatestFold, LatestReport, MAX_LISTED_BYTES, MAX_LISTED_SOURCES};
pub use logs::LogsAnswer;
pub use number::Number;
pub use overview::{AppOverview, OverviewAnswer};
pub use quota::{MAX_BUCKETS, MAX_FIGURES};
pub use read_plan::{MAX_TAIL_MS, ReadPlan, ReadRequest};
pub use selection::{MAX_PATTERN_SERIES, Selection};
pub use series_filter::SeriesFilter;
pub use summary::{KnownSeries, SeriesAnswer, SummaryAnswer, SummaryRow};
pub use truncated::{Truncated, Truncations};

/// A history query that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The points to answer.
    pub span: QuerySpan,
    /// Which series to answer.
    pub selection: Selection,
    /// What to tell of each point; `None` where that is left to us: [`Aggregate::DEFAULT`], as far as it fits.
    pub aggregates: Option<BTreeSet<Aggregate>>,
}

impl HistoryQuery {
    /// Reads a query from its decoded parameters, looked up by name: `timeRange`, `from`, `to`, `step`, `series`,
    /// `agg`. Others are not looked at. `kept` is how long the application keeps its rollups.
    ///
    /// # Errors
    /// `invalid_field` or `missing_field` with the parameter to blame, as [`QuerySpan::read`], [`Selection::read`] and
    /// [`Aggregate::read_list`] say.
    pub fn read<'q>(
        parameter: impl Fn(&str) -> Option<&'q str>,
        kept: &Retention,
        now: TimestampMs,
    ) -> Result<Self, Rejection> {
        Ok(Self {
            span: QuerySpan::read(&parameter, kept, now)?,
            selection: Selection::read(parameter("series"))?,
            aggregates: parameter("agg").map(Aggregate::read_list).transpose()?,
        })
    }

    /// How much its answer may hold.
    fn quota(&self) -> Quota {
        Quota::of(self.span.window.points(), self.aggregates.as_ref().map_or(0, BTreeSet::len))
    }

    /// The same of an answer that tells totals, and so no aggregate of any point.
    #[must_use]
    pub fn of_totals(&self) -> Self {
        Self { aggregates: None, ..self.clone() }
    }
}
