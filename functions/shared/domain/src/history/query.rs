//! The parameters of a history query.

use std::collections::BTreeSet;

use super::aggregate::Aggregate;
use super::quota::Quota;
use super::selection::Selection;
use crate::rejection::Rejection;
use crate::rollup::Retention;
use crate::time::TimestampMs;
use crate::window::query_span::QuerySpan;

/// A valid history query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The points of the answer.
    pub span: QuerySpan,
    /// The series of the answer.
    pub selection: Selection,
    /// The aggregates of each point. `None`: those of [`Aggregate::DEFAULT`] that fit into an answer.
    pub aggregates: Option<BTreeSet<Aggregate>>,
}

impl HistoryQuery {
    /// The names of its parameters.
    pub const PARAMETERS: &[&str] = &["timeRange", "from", "to", "step", "series", "agg"];

    /// Reads a query from the decoded values of its parameters, looked up by name: the last two are lists and may have
    /// several values, the others at most one. `retention` is that of the application's rollups.
    ///
    /// # Errors
    /// `invalid_field` or `missing_field` with the parameter, as in [`QuerySpan::read`], [`Selection::read`] and
    /// [`Aggregate::read_list`].
    pub fn read<'q>(
        values: impl Fn(&str) -> Vec<&'q str>,
        retention: &Retention,
        now: TimestampMs,
    ) -> Result<Self, Rejection> {
        Ok(Self {
            span: QuerySpan::read(|name| values(name).first().copied(), retention, now)?,
            selection: Selection::read(&values("series"))?,
            aggregates: Aggregate::read_lists(&values("agg"))?,
        })
    }

    /// How many series its answer may have.
    pub(super) fn quota(&self) -> Quota {
        Quota::new(self.span.window.points(), self.aggregates.as_ref().map_or(0, BTreeSet::len))
    }

    /// The query of an answer that has totals of each series and no aggregates of points.
    #[must_use]
    pub fn without_aggregates(&self) -> Self {
        Self { aggregates: None, ..self.clone() }
    }
}
