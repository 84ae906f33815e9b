//! Counters of what the service absorbs, refuses and loses, told to CloudWatch in its embedded metric format.
//!
//! Owns the names of the metrics and the line that carries them. Counts are gathered in memory and told at most once
//! in [`EMIT_INTERVAL_MS`] per instance, for a log line per report would cost as much as storing it. No id is ever a
//! dimension: each value of one would be a metric that is paid for. Ruled by docs/SEMANTICS.md, "Counters".
//! The line has a level and a time of its own, because Lambda drops lines by their level: see [`passing_level`].

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use nsl_domain::rejection::Code;
use nsl_domain::time::TimestampMs;
use serde_json::{Map, Value, json};
use tracing::level_filters::LevelFilter;

/// Least distance between two lines of one instance, in milliseconds. What an instance has counted since its last
/// line is lost when it ends, so that every figure is a lower bound.
pub const EMIT_INTERVAL_MS: i64 = 10_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Counter {
    /// Second copies of a report that the library sends twice over.
    AbsorbedDuplicates,
    /// Frames of the library or its dashboard that were left unanswered because they repeat what was answered.
    AbsorbedFrames,
    /// Log entries that came faster than they are taken.
    DroppedLogs,
    /// Reports of the library whose clock is wrong, stamped with their arrival.
    WrongClocks,
    /// Wrong credentials of the library, which hears nothing of it.
    SilencedPublishers,
    /// Connections that were closed for what they sent.
    ClosedConnections,
    /// Frames whose receiver had left.
    GonePosts,
    /// Frames that could not be delivered in time.
    UndeliveredPosts,
    /// Frames and reports that were refused, by code.
    Rejections(&'static str),
}

impl Counter {
    /// Refusals with `code`.
    pub fn rejections(code: Code) -> Self {
        Self::Rejections(code.as_str())
    }

    /// The name of its metric: one for each code of a refusal.
    fn metric(self) -> String {
        match self {
            Self::AbsorbedDuplicates => "AbsorbedDuplicates".to_owned(),
            Self::AbsorbedFrames => "AbsorbedFrames".to_owned(),
            Self::DroppedLogs => "DroppedLogs".to_owned(),
            Self::WrongClocks => "WrongClocks".to_owned(),
            Self::SilencedPublishers => "SilencedPublishers".to_owned(),
            Self::ClosedConnections => "ClosedConnections".to_owned(),
            Self::GonePosts => "GonePosts".to_owned(),
            Self::UndeliveredPosts => "UndeliveredPosts".to_owned(),
            Self::Rejections(code) => format!("Rejections.{code}"),
        }
    }
}

/// What one function instance has counted.
#[derive(Debug)]
pub struct Counters {
    namespace: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    untold: BTreeMap<Counter, u64>,
    total: BTreeMap<Counter, u64>,
    told_at: Option<TimestampMs>,
}

impl Counters {
    /// Counters whose metrics stand in `namespace`.
    pub fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), state: Mutex::default() }
    }

    /// Adds `count`. No call, no line.
    pub fn add(&self, counter: Counter, count: u64) {
        if count == 0 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state.untold.entry(counter).or_default() += count;
        *state.total.entry(counter).or_default() += count;
    }

    /// Everything that was ever added to `counter` here.
    pub fn total(&self, counter: Counter) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.total.get(&counter).copied().unwrap_or(0)
    }

    /// Prints what was counted since the last line, where that is long enough ago. To be called at the end of every
    /// invocation.
    pub fn emit(&self, now: TimestampMs) {
        if let Some(line) = self.line(now, passing_level(LevelFilter::current())) {
            print(&line);
        }
    }

    /// The line of `level` that is due at `now`, once.
    fn line(&self, now: TimestampMs, level: &'static str) -> Option<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early =
            state.told_at.is_some_and(|told| now.ms() < told.ms().saturating_add(EMIT_INTERVAL_MS));
        if state.untold.is_empty() || is_early {
            return None;
        }
        state.told_at = Some(now);
        Some(rendered(&self.namespace, &std::mem::take(&mut state.untold), now, level))
    }
}

/// The level of a line that passes where log lines from `filter` on are kept: no metric may depend on what is logged.
/// Lambda takes a line without a level, or without a valid `timestamp`, for one of INFO, and drops it from WARN on.
/// Source: the "Log-level filtering" page of the Lambda developer guide. Where INFO passes it is INFO, so that nobody
/// who looks for warnings finds counters.
fn passing_level(filter: LevelFilter) -> &'static str {
    match filter {
        LevelFilter::ERROR => "ERROR",
        LevelFilter::WARN => "WARN",
        _ => "INFO",
    }
}

/// The embedded metric format: CloudWatch reads the metrics that `_aws` names out of the line's own members.
/// Source: the "Specification: Embedded metric format" page of the CloudWatch user guide.
fn rendered(
    namespace: &str,
    counts: &BTreeMap<Counter, u64>,
    now: TimestampMs,
    level: &'static str,
) -> String {
    let metrics: Vec<Value> =
        counts.keys().map(|counter| json!({"Name": counter.metric(), "Unit": "Count"})).collect();
    let directive = json!({"Namespace": namespace, "Dimensions": [[]], "Metrics": metrics});
    let mut line = Map::new();
    line.insert("_aws".to_owned(), json!({"Timestamp": now.ms(), "CloudWatchMetrics": [directive]}));
    line.insert("level".to_owned(), json!(level));
    line.insert("timestamp".to_owned(), json!(now));
    line.extend(counts.iter().map(|(counter, count)| (counter.metric(), json!(count))));
    Value::Object(line).to_string()
}

#[expect(clippy::print_stdout, reason = "the format is a line of its own, which a log event would wrap")]
fn print(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> TimestampMs {
        TimestampMs::clamped(1_795_352_461_000 + ms)
    }

    #[test]
    fn what_was_counted_is_told_once_and_in_cloudwatchs_form() {
        let counters = Counters::new("NehonixSmartLogger/test");
        counters.add(Counter::AbsorbedDuplicates, 2);
        counters.add(Counter::rejections(Code::RateLimited), 1);
        counters.add(Counter::AbsorbedDuplicates, 1);
        let line: Value = serde_json::from_str(&counters.line(at(0), "INFO").unwrap()).unwrap();
        let expected = json!({
            "_aws": {"Timestamp": 1_795_352_461_000_i64, "CloudWatchMetrics": [{
                "Namespace": "NehonixSmartLogger/test",
                "Dimensions": [[]],
                "Metrics": [
                    {"Name": "AbsorbedDuplicates", "Unit": "Count"},
                    {"Name": "Rejections.rate_limited", "Unit": "Count"},
                ],
            }]},
            "level": "INFO",
            "timestamp": "2026-11-22T13:01:01.000Z",
            "AbsorbedDuplicates": 3,
            "Rejections.rate_limited": 1,
        });
        assert_eq!(line, expected);
        assert_eq!(counters.line(at(EMIT_INTERVAL_MS), "INFO"), None);
    }

    #[test]
    fn a_line_passes_whatever_level_is_logged() {
        let counts = BTreeMap::from([(Counter::GonePosts, 1)]);
        let levels = [
            LevelFilter::TRACE,
            LevelFilter::DEBUG,
            LevelFilter::INFO,
            LevelFilter::WARN,
            LevelFilter::ERROR,
        ];
        for filter in levels {
            let line: Value =
                serde_json::from_str(&rendered("test", &counts, at(0), passing_level(filter))).unwrap();
            let level: LevelFilter = line["level"].as_str().unwrap().parse().unwrap();
            assert!(level <= filter, "a line of {level} is dropped where {filter} is logged");
            assert!(level <= LevelFilter::INFO);
            assert_eq!(TimestampMs::from_iso(line["timestamp"].as_str().unwrap()), Ok(at(0)));
        }
    }

    #[test]
    fn an_instance_tells_at_most_one_line_in_ten_seconds() {
        let counters = Counters::new("test");
        let lines = (0..60_000).step_by(100).filter(|ms| {
            counters.add(Counter::GonePosts, 1);
            counters.line(at(*ms), "INFO").is_some()
        });
        assert_eq!(lines.count(), 6);
        assert_eq!(counters.total(Counter::GonePosts), 600);
    }

    #[test]
    fn nothing_counted_is_nothing_told() {
        let counters = Counters::new("test");
        counters.add(Counter::DroppedLogs, 0);
        assert_eq!(counters.line(at(0), "INFO"), None);
    }
}
