//! The last report of each source.
//!
//! Owns the fold and the answer of `GET /apps/{appId}/metrics/latest`. Ruled by protocol.md §3.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::ids::{AppId, Source};
use crate::rejection::{Code, Rejection};
use crate::series;
use crate::time::TimestampMs;

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
}

/// The reports of an application, of which the last of each source is kept.
#[derive(Debug)]
pub struct LatestFold {
    app: AppId,
    reports: BTreeMap<Source, LatestReport>,
}

impl LatestFold {
    /// The fold of no report yet.
    pub fn new(app: AppId) -> Self {
        Self { app, reports: BTreeMap::new() }
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

    /// The answer.
    pub fn finish(self) -> LatestAnswer {
        let mut reports: Vec<_> = self.reports.into_values().collect();
        // Stable, so equally new ones stay in the order of their sources.
        reports.sort_by_key(|report| std::cmp::Reverse(report.timestamp));
        LatestAnswer { app_id: self.app, reports }
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
