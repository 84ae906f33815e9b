//! History answers of the HTTP API: queries, the rollups and raw reports that answer them, JSON and CSV.

mod aggregate;
mod answer;
mod csv;
mod fold;
mod latest;
mod logs;
mod number;
mod overview;
mod query;
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
pub use answer::{HistoryAnswer, SeriesHistory};
pub use fold::{HistoryFold, Totals};
pub use latest::{LatestAnswer, LatestFold, LatestReport, MAX_LISTED_BYTES, MAX_LISTED_SOURCES};
pub use logs::LogsAnswer;
pub use number::Number;
pub use overview::{AppOverview, OverviewAnswer};
pub use query::HistoryQuery;
pub use quota::{MAX_BUCKETS, MAX_FIGURES};
pub use read_plan::{MAX_TAIL_MS, ReadPlan, ReadRequest};
pub use selection::{MAX_PATTERN_SERIES, Selection};
pub use series_filter::SeriesFilter;
pub use summary::{SeriesAnswer, SummaryAnswer};
pub use truncated::{Truncated, Truncations};
