//! What the sources of a write shard last reported within a minute: stored beside its rollup, and shown by `GET /apps`.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::contents::Rollup;
use crate::bucket::SampleOrigin;
use crate::ids::Source;
use crate::report::Report;
use crate::series::for_each_sample;
use crate::time::{MINUTE_MS, TimestampMs};

/// Oldest last report of an active minute: a source that reports once a minute is in one minute of two, and a minute
/// is stored up to a minute after its reports.
pub const ACTIVE_MS: i64 = 3 * MINUTE_MS;

/// The usage of the processors in percent.
const CPU: &str = "cpu.usage";

/// The usage of the memory in percent.
const MEMORY: &str = "memory.usagePercent";

/// How many sources reported, when the last one did, and the means of their newest values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// The sources.
    pub sources: usize,
    /// The time of the newest report.
    #[serde(with = "milliseconds")]
    pub last_report: TimestampMs,
    /// Of the usage of the processors; absent if no source has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Mean>,
    /// Of the usage of the memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Mean>,
}

/// The mean of the newest values of the sources that have one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean; finite.
    pub mean: f64,
    /// How many sources have a value.
    pub sources: usize,
}

/// Collects the newest values of each source, in any order.
#[derive(Debug, Default)]
pub(crate) struct ActivityBuilder {
    newest: HashMap<Arc<Source>, Newest>,
}

#[derive(Debug)]
struct Newest {
    at: (TimestampMs, u64),
    values: Usage,
}

/// The two values of one report; if one occurs twice, the last one in its text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    cpu: Option<f64>,
    memory: Option<f64>,
}

impl Usage {
    pub(crate) fn note(&mut self, series: &str, value: f64) {
        match series {
            CPU => self.cpu = Some(value),
            MEMORY => self.memory = Some(value),
            _ => {}
        }
    }
}

impl ActivityBuilder {
    /// Adds the values of one report.
    pub(crate) fn add(&mut self, origin: &SampleOrigin, values: Usage) {
        let at = (origin.time, origin.hash);
        let newest = self.newest.entry(Arc::clone(&origin.source)).or_insert(Newest { at, values });
        if newest.at < at {
            *newest = Newest { at, values };
        }
    }

    /// What was collected; `None` without a report.
    pub(crate) fn finish(&self) -> Option<Activity> {
        let values = || self.newest.values().map(|newest| newest.values);
        Some(Activity {
            sources: self.newest.len(),
            last_report: self.newest.values().map(|newest| newest.at.0).max()?,
            cpu: Mean::of(values().filter_map(|usage| usage.cpu).collect()),
            memory: Mean::of(values().filter_map(|usage| usage.memory).collect()),
        })
    }
}

impl Activity {
    /// The activity of `reports`; an invalid document has no values.
    pub fn of_reports(reports: &[Report]) -> Option<Self> {
        let mut builder = ActivityBuilder::default();
        for report in reports {
            let mut usage = Usage::default();
            let read = for_each_sample(report.document.as_str(), |series, value| usage.note(series, value));
            let usage = if read.is_ok() { usage } else { Usage::default() };
            let (time, hash) = (report.timestamp, report.document.hash());
            builder.add(&SampleOrigin { time, source: Arc::new(report.source.clone()), hash }, usage);
        }
        builder.finish()
    }

    /// The activity of a minute that an earlier version stored without one: of the sources that its rollup lists, and
    /// with the averages of the whole minute. `None` without a report.
    pub fn of_rollup(rollup: &Rollup) -> Option<Self> {
        let sources = rollup.sources().names().len();
        let mean_of = |wanted: &str| {
            let found = rollup.series().find(|(name, _)| *name == wanted);
            found.map(|(_, bucket)| Mean { mean: bucket.average(), sources })
        };
        let newest = rollup.series().map(|(_, bucket)| bucket.last_origin().time).max();
        (rollup.reports() > 0).then(|| Self {
            sources,
            last_report: newest.unwrap_or(rollup.span().start()),
            cpu: mean_of(CPU),
            memory: mean_of(MEMORY),
        })
    }

    /// Whether it is recent enough at `now` to be shown as the present.
    pub fn is_active(&self, now: TimestampMs) -> bool {
        now.ms_since(self.last_report) <= ACTIVE_MS
    }

    /// The activity of two write shards, which share no source.
    #[must_use]
    pub fn with_shard(self, other: Self) -> Self {
        Self {
            sources: self.sources.saturating_add(other.sources),
            last_report: self.last_report.max(other.last_report),
            cpu: Mean::merged(self.cpu, other.cpu),
            memory: Mean::merged(self.memory, other.memory),
        }
    }
}

impl Mean {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        // In one order, so that the same reports always have the same mean.
        values.sort_unstable_by(f64::total_cmp);
        let count = values.len() as f64;
        // Divided first, so that the sum of large values stays finite.
        let mean: f64 = values.iter().map(|value| value / count).sum();
        (!values.is_empty() && mean.is_finite()).then_some(Self { mean, sources: values.len() })
    }

    fn merged(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (Some(one), Some(other)) = (one, other) else { return one.or(other) };
        let sources = one.sources.saturating_add(other.sources);
        let part = |mean: Self| mean.mean * (mean.sources as f64 / sources as f64);
        let mean = part(one) + part(other);
        mean.is_finite().then_some(Self { mean, sources })
    }
}

/// A timestamp as a number, which is shorter than its text.
mod milliseconds {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::time::TimestampMs;

    pub(super) fn serialize<S: Serializer>(time: &TimestampMs, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.ms())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimestampMs, D::Error> {
        TimestampMs::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AppId;
    use crate::report::Document;
    use proptest::prelude::*;

    fn report((source, offset_ms, document): (&str, i64, &str)) -> Report {
        Report {
            app: AppId::new("shop").unwrap(),
            source: Source::new(source).unwrap(),
            timestamp: TimestampMs::EXAMPLE.plus_ms(offset_ms),
            document: Document::stored(document.to_owned()),
        }
    }

    fn activity(reports: &[(&str, i64, &str)]) -> Activity {
        let reports: Vec<Report> = reports.iter().copied().map(report).collect();
        Activity::of_reports(&reports).unwrap()
    }

    #[test]
    fn newest_values_of_each_source_are_averaged() {
        let found = activity(&[
            ("a", 0, r#"{"cpu":{"usage":10},"memory":{"usagePercent":50}}"#),
            ("a", -1_000, r#"{"cpu":{"usage":90}}"#),
            ("b", -2_000, r#"{"cpu":{"usage":15}}"#),
            ("c", 1_000, r#"{"queue":1}"#),
            ("d", -3_000, "no json"),
        ]);
        let expected = Activity {
            sources: 4,
            last_report: TimestampMs::EXAMPLE.plus_ms(1_000),
            cpu: Some(Mean { mean: 12.5, sources: 2 }),
            memory: Some(Mean { mean: 50.0, sources: 1 }),
        };
        assert_eq!(found, expected);
        assert_eq!(Activity::of_reports(&[]), None);
    }

    #[test]
    fn stored_text_is_short_and_reads_back() {
        let stored = activity(&[("a", 0, r#"{"cpu":{"usage":1.7e308},"memory":{"usagePercent":0.1}}"#)]);
        let text = serde_json::to_string(&stored).unwrap();
        assert_eq!(serde_json::from_str::<Activity>(&text).unwrap(), stored);
        assert!(text.len() <= 128, "{text}");
        let idle = serde_json::to_string(&activity(&[("a", 0, "{}")])).unwrap();
        assert_eq!(idle, r#"{"sources":1,"lastReport":1795352461387}"#);
    }

    proptest! {
        #[test]
        fn shards_merge_to_the_activity_of_the_whole(
            values in prop::collection::vec((0..9_u8, 0..9_i64, prop::option::of(-1e3..1e3_f64)), 2..30),
            pivot in 1..8_u8,
        ) {
            let document = |value: &Option<f64>| match value {
                Some(value) => format!(r#"{{"cpu":{{"usage":{value:?}}}}}"#),
                None => "{}".to_owned(),
            };
            let of = |(source, ms, value): &(u8, i64, Option<f64>)| {
                report((&format!("s{source}"), *ms, &document(value)))
            };
            let all: Vec<Report> = values.iter().map(of).collect();
            let (low, high): (Vec<_>, Vec<_>) = values.iter().partition(|value| value.0 < pivot);
            let part = |part: Vec<&(u8, i64, Option<f64>)>| {
                Activity::of_reports(&part.into_iter().map(of).collect::<Vec<_>>())
            };
            let merged = part(low).into_iter().chain(part(high)).reduce(Activity::with_shard).unwrap();
            let whole = Activity::of_reports(&all).unwrap();
            prop_assert_eq!((merged.sources, merged.last_report), (whole.sources, whole.last_report));
            let sources = |mean: Option<Mean>| mean.map(|mean| mean.sources);
            prop_assert_eq!(sources(merged.cpu), sources(whole.cpu));
            let mean = |mean: Option<Mean>| mean.map_or(0.0, |mean| mean.mean);
            prop_assert!((mean(merged.cpu) - mean(whole.cpu)).abs() < 1e-9);
        }
    }
}
