//! The last report of each source.
//!
//! Owns the fold and the answer of `GET /apps/{appId}/metrics/latest`, and how much of it fits. Ruled by protocol.md §3.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::truncated::{Truncated, Truncations};
use crate::ids::{AppId, Source};
use crate::rejection::{Code, Rejection};
use crate::series;
use crate::time::TimestampMs;

/// Most sources of one answer: as many as a page of a megabyte holds of the library's reports, nearly.
pub const MAX_LISTED_SOURCES: usize = 1_000;

/// Most bytes of documents of one answer. Lambda takes six megabytes, in which the answer is written once more as a
/// string: that doubles quotation marks, of which a document may consist for the most part.
pub const MAX_LISTED_BYTES: usize = 2_500_000;

/// One report as the answer tells it.
#[derive(Debug, Clone, Serialize)]
pub struct LatestReport {
    /// Who reported.
    pub source: Source,
    /// The instant that it describes.
    pub timestamp: TimestampMs,
    /// Its name within the application.
    pub id: String,
    /// The document, byte for byte as stored.
    pub metrics: Box<RawValue>,
}

/// The last report of each source, newest first; of equally new ones, by source.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LatestAnswer {
    app_id: AppId,
    /// The reports.
    pub reports: Vec<LatestReport>,
    /// Whether there are more sources.
    #[serde(skip_serializing_if = "Truncations::is_empty")]
    pub truncated: Truncations,
}

/// The reports of an application, of which the last of each source is kept.
#[derive(Debug)]
pub struct LatestFold {
    app: AppId,
    reports: BTreeMap<Source, LatestReport>,
    truncated: Truncations,
}

impl LatestFold {
    /// The fold of no report yet.
    pub fn new(app: AppId) -> Self {
        Self { app, reports: BTreeMap::new(), truncated: Truncations::default() }
    }

    /// Notes that there are sources whose reports will not be added.
    pub fn note_more(&mut self) {
        self.truncated.note(Truncated::Sources, true);
    }

    /// Adds one report, in any order and as often as it comes. The last of a source has the greatest timestamp, and
    /// among equals the greatest id.
    ///
    /// # Errors
    /// The rejection of a document that should never have been stored, where it would be the last one. What was the
    /// last remains it; the caller counts and goes on.
    pub fn add(
        &mut self,
        source: &Source,
        timestamp: TimestampMs,
        id: &str,
        document: &str,
    ) -> Result<(), Rejection> {
        let known = self.reports.get(source);
        if known.is_some_and(|known| (known.timestamp, known.id.as_str()) >= (timestamp, id)) {
            return Ok(());
        }
        series::check(document)?;
        let metrics = RawValue::from_string(document.to_owned())
            .map_err(|error| Rejection::new(Code::InvalidJson, error.to_string()).at("metrics"))?;
        let report = LatestReport { source: source.clone(), timestamp, id: id.to_owned(), metrics };
        self.reports.insert(source.clone(), report);
        Ok(())
    }

    /// The last report of each source, by source.
    pub(super) fn reports(&self) -> impl Iterator<Item = &LatestReport> {
        self.reports.values()
    }

    /// What is not told whole.
    pub(super) fn truncated(&self) -> &Truncations {
        &self.truncated
    }

    /// The answer: the newest [`MAX_LISTED_SOURCES`], as far as they have [`MAX_LISTED_BYTES`].
    pub fn finish(self) -> LatestAnswer {
        self.finish_within(MAX_LISTED_SOURCES, MAX_LISTED_BYTES)
    }

    fn finish_within(mut self, most: usize, most_bytes: usize) -> LatestAnswer {
        let mut reports: Vec<_> = std::mem::take(&mut self.reports).into_values().collect();
        // Stable, so equally new ones stay in the order of their sources.
        reports.sort_by_key(|report| std::cmp::Reverse(report.timestamp));
        let mut bytes = 0;
        let fits = |report: &LatestReport| {
            bytes += report.metrics.get().len();
            bytes <= most_bytes
        };
        let told = reports.iter().take(most).map(fits).take_while(|fits| *fits).count();
        self.truncated.note(Truncated::Sources, told < reports.len());
        reports.truncate(told);
        LatestAnswer { app_id: self.app, reports, truncated: self.truncated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fold(reports: &[(&str, i64, &str, &str)]) -> LatestFold {
        let mut fold = LatestFold::new(AppId::new("shop").unwrap());
        for (source, ms, id, document) in reports {
            let source = Source::new(*source).unwrap();
            fold.add(&source, TimestampMs::clamped(*ms), id, document).unwrap();
        }
        fold
    }

    #[test]
    fn the_last_report_of_each_source_is_told_newest_first() {
        let mut fold =
            fold(&[("b", 1_000, "1", r#"{"a":1.50}"#), ("a", 1_000, "1", "{}"), ("c", 2_000, "1", "{}")]);
        let source = Source::new("c").unwrap();
        assert!(fold.add(&source, TimestampMs::clamped(3_000), "2", "{\"a\":").is_err());
        let expected = concat!(
            r#"{"appId":"shop","reports":["#,
            r#"{"source":"c","timestamp":"1970-01-01T00:00:02.000Z","id":"1","metrics":{}},"#,
            r#"{"source":"a","timestamp":"1970-01-01T00:00:01.000Z","id":"1","metrics":{}},"#,
            r#"{"source":"b","timestamp":"1970-01-01T00:00:01.000Z","id":"1","metrics":{"a":1.50}}]}"#,
        );
        assert_eq!(serde_json::to_string(&fold.finish()).unwrap(), expected);
    }

    #[test]
    fn the_newest_are_told_as_far_as_they_fit_and_that_there_are_more() {
        let reports = [("a", 1, "1", r#"{"n":1}"#), ("b", 3, "1", r#"{"n":3}"#), ("c", 2, "1", r#"{"n":2}"#)];
        for (most, most_bytes, sources, is_cut) in [
            (3, 21, vec!["b", "c", "a"], false),
            (2, 21, vec!["b", "c"], true),
            (3, 20, vec!["b", "c"], true),
            (3, 6, vec![], true),
        ] {
            let answer = fold(&reports).finish_within(most, most_bytes);
            let told: Vec<&str> = answer.reports.iter().map(|report| report.source.as_str()).collect();
            assert_eq!((told, !answer.truncated.is_empty()), (sources, is_cut), "{most} of {most_bytes}");
        }
        let mut partly_read = fold(&reports);
        partly_read.note_more();
        let answer = serde_json::to_value(partly_read.finish()).unwrap();
        assert_eq!(
            (answer["reports"].as_array().unwrap().len(), &answer["truncated"][0]),
            (3, &"sources".into())
        );
    }

    proptest! {
        #[test]
        fn order_and_repeats_do_not_matter(reports in prop::collection::vec(("[abc]", 0..9_i64, "[xyz]"), 1..30)) {
            let document = |(source, ms, id): &(String, i64, String)| format!("{{\"{source}{id}\":{ms}}}");
            let documents: Vec<String> = reports.iter().map(document).collect();
            let mut given: Vec<(&str, i64, &str, &str)> = reports.iter().zip(&documents)
                .map(|((source, ms, id), document)| (source.as_str(), *ms, id.as_str(), document.as_str())).collect();
            let there = serde_json::to_string(&fold(&given).finish()).unwrap();
            given.reverse();
            given.extend(given.clone());
            prop_assert_eq!(serde_json::to_string(&fold(&given).finish()).unwrap(), there);
        }
    }
}
