//! The answer to a history query: columns that a chart can draw without conversion (docs/PROTOCOL.md, "HTTP").

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::aggregate::Aggregate;
use super::number::Number;
use super::tree::Tree;
use super::truncated::Truncations;
use crate::ids::{AppId, Source};
use crate::time::TimestampMs;
use crate::window::query_span::QuerySpan;

/// The fields of an answer, which no member of a metrics document may replace.
const FIELDS: [&str; 10] = [
    "appId",
    "timeRange",
    "from",
    "to",
    "step",
    "completeTo",
    "timestamps",
    "series",
    "sources",
    "truncated",
];

/// The history of one application over one window.
///
/// As JSON: its fields, then the averages over the whole window in the shape of a metrics document (`cpu`, `memory`
/// and so on). A member with the name of a field is left out there, and is still in `series`.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryAnswer {
    /// The application.
    pub app: AppId,
    /// The points.
    pub span: QuerySpan,
    /// The end of what is complete, exclusive.
    pub complete_to: TimestampMs,
    /// The series that have a sample in the window, by name.
    pub series: BTreeMap<String, SeriesHistory>,
    /// The sources that reported in the window, ascending; only the first ones if there are many.
    pub sources: Vec<Arc<Source>>,
    /// What is incomplete.
    pub truncated: Truncations,
}

/// The history of one series.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SeriesHistory {
    /// One entry for each point, by aggregate of the query; a gap is 0 for the count and `None` for the others.
    pub columns: BTreeMap<Aggregate, Vec<Option<Number>>>,
    /// The average of all samples of the window.
    #[serde(skip)]
    pub average: Number,
}

impl Serialize for HistoryAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let window = self.span.window;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("appId", &self.app)?;
        if let Some(time_range) = self.span.time_range {
            map.serialize_entry("timeRange", &time_range)?;
        }
        map.serialize_entry("from", &window.from())?;
        map.serialize_entry("to", &window.to())?;
        map.serialize_entry("step", &window.step().seconds())?;
        map.serialize_entry("completeTo", &self.complete_to)?;
        let timestamps: Vec<i64> = window.starts().map(TimestampMs::seconds).collect();
        map.serialize_entry("timestamps", &timestamps)?;
        map.serialize_entry("series", &self.series)?;
        let sources: Vec<&Source> = self.sources.iter().map(Arc::as_ref).collect();
        map.serialize_entry("sources", &sources)?;
        if !self.truncated.is_empty() {
            map.serialize_entry("truncated", &self.truncated)?;
        }
        let averages = self.series.iter().map(|(name, series)| (name.as_str(), series.average));
        Tree::of(averages).without(&FIELDS).serialize_into(&mut map)?;
        map.end()
    }
}
