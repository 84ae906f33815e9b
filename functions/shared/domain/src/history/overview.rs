//! The answer of `GET /apps`: the present state of each application of a caller.

use serde::Serialize;

use super::latest::{LatestFold, LatestReport};
use super::number::Number;
use super::truncated::Truncations;
use crate::app::{App, Status};
use crate::ids::AppId;
use crate::series::for_each_sample;
use crate::time::{MINUTE_MS, TimestampMs};

/// Oldest last report of a source that counts as active: two reports of a source that reports once a minute.
const ACTIVE_MS: i64 = 2 * MINUTE_MS;

/// The usage of the processors in percent.
const CPU: &str = "cpu.usage";

/// The usage of the memory in percent.
const MEMORY: &str = "memory.usagePercent";

/// One application.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppOverview {
    /// Its id.
    pub app_id: AppId,
    name: String,
    status: Status,
    /// The time of its newest report, if known.
    last_report: Option<TimestampMs>,
    /// How many sources are active.
    sources: usize,
    /// The average of the newest values of the active sources; absent if none of them has one.
    cpu: Option<Number>,
    memory: Option<Number>,
    /// Whether some sources are not counted.
    #[serde(skip_serializing_if = "Truncations::is_empty")]
    truncated: Truncations,
}

/// The answer of `GET /apps`.
#[derive(Debug, Clone, Serialize)]
pub struct OverviewAnswer {
    /// The applications, by id.
    pub apps: Vec<AppOverview>,
    /// Whether these are all.
    pub complete: bool,
}

impl AppOverview {
    /// The state of `app` at `now` from the last reports of its sources. An invalid document has no values.
    pub fn new(app: &App, last: &LatestFold, now: TimestampMs) -> Self {
        let is_active = |report: &&LatestReport| now.ms_since(report.timestamp) <= ACTIVE_MS;
        let active: Vec<&LatestReport> = last.reports().filter(is_active).collect();
        let mean_of = |series| mean(active.iter().filter_map(|report| value_of(report, series)).collect());
        Self {
            app_id: app.id.clone(),
            name: app.name.clone(),
            status: app.status,
            last_report: last.reports().map(|report| report.timestamp).max(),
            sources: active.len(),
            cpu: mean_of(CPU),
            memory: mean_of(MEMORY),
            truncated: last.truncated().clone(),
        }
    }
}

/// The value of one series in a report; if it occurs twice, the last one in its text.
fn value_of(report: &LatestReport, series: &str) -> Option<f64> {
    let mut found = None;
    let note = |name: &str, value| {
        if name == series {
            found = Some(value);
        }
    };
    let read = for_each_sample(report.metrics.get(), note);
    read.ok().and(found)
}

fn mean(values: Vec<f64>) -> Option<Number> {
    let count = values.len() as f64;
    // Divided first, so that the sum of large values stays finite.
    let mean: f64 = values.iter().map(|value| value / count).sum();
    (!values.is_empty() && mean.is_finite()).then_some(Number(mean))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Source;
    use serde_json::{Value, json};

    /// The overview of reports, each given as source, age and document.
    fn overview(reports: &[(&str, i64, &str)]) -> Value {
        let app = App { name: "The shop".into(), ..App::example() };
        let mut fold = LatestFold::new(app.id.clone());
        for (source, age_ms, document) in reports {
            let stamp = TimestampMs::EXAMPLE.plus_ms(-age_ms);
            fold.add(&Source::new(*source).unwrap(), stamp, "id", document).unwrap();
        }
        let row = AppOverview::new(&app, &fold, TimestampMs::EXAMPLE);
        serde_json::to_value(row).unwrap()
    }

    #[test]
    fn active_sources_are_counted_and_averaged() {
        let answer = overview(&[
            ("a", 0, r#"{"cpu":{"usage":10},"memory":{"usagePercent":50}}"#),
            ("a", 1_000, r#"{"cpu":{"usage":90}}"#),
            ("b", ACTIVE_MS, r#"{"cpu":{"usage":15}}"#),
            ("c", ACTIVE_MS + 1, r#"{"cpu":{"usage":99}}"#),
            ("d", -1_000, r#"{"queue":1}"#),
        ]);
        let expected = json!({"appId": "shop", "name": "The shop", "status": "active",
            "lastReport": "2026-11-22T13:01:02.387Z", "sources": 3, "cpu": 12.5, "memory": 50});
        assert_eq!(answer, expected);
    }

    #[test]
    fn silent_application_has_no_figures() {
        let answer = overview(&[("a", ACTIVE_MS + 1, r#"{"cpu":{"usage":10}}"#)]);
        assert_eq!((&answer["sources"], &answer["cpu"]), (&json!(0), &Value::Null));
        assert!(answer["lastReport"].is_string());
        assert_eq!(overview(&[])["lastReport"], Value::Null);
    }

    #[test]
    fn large_values_have_an_average() {
        let document = r#"{"cpu":{"usage":1.7e308}}"#;
        let answer = overview(&[("a", 0, document), ("b", 0, document)]);
        assert_eq!(answer["cpu"].as_f64(), Some(1.7e308));
    }
}
