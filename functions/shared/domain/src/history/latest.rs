//! The last report of each source: the answer of `GET /apps/{appId}/metrics/latest`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::truncated::{Truncated, Truncations};
use crate::ids::{AppId, Source};
use crate::rejection::{Code, Rejection};
use crate::series;
use crate::time::TimestampMs;

/// Most sources that an answer lists: nearly as many as a page of one megabyte has reports of the library.
pub const MAX_LISTED_SOURCES: usize = 1_000;

/// Most bytes of documents of one answer. Lambda's limit of six megabytes counts the answer encoded again as a JSON
/// string, which doubles quotation marks, and a document may consist mostly of those.
pub const MAX_LISTED_BYTES: usize = 2_500_000;

/// One report of the answer.
#[derive(Debug, Clone, Serialize)]
pub struct LatestReport {
    /// Its source.
    pub source: Source,
    /// When it was measured.
    pub timestamp: TimestampMs,
    /// Its id, unique in the application.
    pub id: String,
    /// The document, byte for byte as stored.
    pub metrics: Box<RawValue>,
}

/// The last report of each source, newest first, then by source.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LatestAnswer {
    app_id: AppId,
    /// The reports.
    pub reports: Vec<LatestReport>,
    /// Whether more sources exist than are listed.
    #[serde(skip_serializing_if = "Truncations::is_empty")]
    pub truncated: Truncations,
}

/// Keeps the last report of each source.
#[derive(Debug)]
pub struct LatestFold {
    app: AppId,
    reports: BTreeMap<Source, LatestReport>,
    truncated: Truncations,
}

impl LatestFold {
    /// A fold of nothing.
    pub fn new(app: AppId) -> Self {
        Self { app, reports: BTreeMap::new(), truncated: Truncations::default() }
    }

    /// Records that more sources exist than will be added.
    pub fn note_more_sources(&mut self) {
        self.truncated.note(Truncated::Sources, true);
    }

    /// Adds one report; order and repeats do not matter. The last report of a source has the greatest timestamp, then
    /// the greatest id.
    ///
    /// # Errors
    /// The rejection of an invalid document, which should never have been stored, if it would be the last one. The one
    /// before stays.
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

    /// The answer: the newest reports, at most [`MAX_LISTED_SOURCES`] and [`MAX_LISTED_BYTES`].
    pub fn finish(self) -> LatestAnswer {
        self.finish_within(MAX_LISTED_SOURCES, MAX_LISTED_BYTES)
    }

    fn finish_within(mut self, max_sources: usize, max_bytes: usize) -> LatestAnswer {
        let mut reports: Vec<_> = std::mem::take(&mut self.reports).into_values().collect();
        // A stable sort keeps equally new ones in the order of their sources.
        reports.sort_by_key(|report| std::cmp::Reverse(report.timestamp));
        let mut bytes = 0;
        let fits = |report: &LatestReport| {
            bytes += report.metrics.get().len();
            bytes <= max_bytes
        };
        let listed = reports.iter().take(max_sources).map(fits).take_while(|fits| *fits).count();
        self.truncated.note(Truncated::Sources, listed < reports.len());
        reports.truncate(listed);
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
    fn last_report_of_each_source_newest_first() {
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
    fn newest_reports_that_fit_are_listed() {
        let reports = [("a", 1, "1", r#"{"n":1}"#), ("b", 3, "1", r#"{"n":3}"#), ("c", 2, "1", r#"{"n":2}"#)];
        for (max_sources, max_bytes, sources, is_truncated) in [
            (3, 21, vec!["b", "c", "a"], false),
            (2, 21, vec!["b", "c"], true),
            (3, 20, vec!["b", "c"], true),
            (3, 6, vec![], true),
        ] {
            let answer = fold(&reports).finish_within(max_sources, max_bytes);
            let listed: Vec<&str> = answer.reports.iter().map(|report| report.source.as_str()).collect();
            assert_eq!(
                (listed, !answer.truncated.is_empty()),
                (sources, is_truncated),
                "{max_sources} {max_bytes}"
            );
        }
        let mut incomplete = fold(&reports);
        incomplete.note_more_sources();
        let answer = serde_json::to_value(incomplete.finish()).unwrap();
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
            let expected = serde_json::to_string(&fold(&given).finish()).unwrap();
            given.reverse();
            given.extend(given.clone());
            prop_assert_eq!(serde_json::to_string(&fold(&given).finish()).unwrap(), expected);
        }
    }
}
