//! Counters, emitted to CloudWatch in its embedded metric format (docs/SEMANTICS.md, "Counters").
//!
//! Counts are collected in memory and emitted at most once in [`EMIT_INTERVAL_MS`] per instance: a log line per report
//! would cost as much as storing it. An id is never a dimension, because every value of one would be a paid metric.

use std::collections::BTreeMap;
use std::sync::Arc;

use nsl_domain::rejection::Code;
use nsl_domain::time::TimestampMs;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tracing::Level;

/// Shortest time between two lines of one instance, in milliseconds. Counts since the last line are lost when the
/// instance ends, so every figure is a lower bound.
pub const EMIT_INTERVAL_MS: i64 = 10_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// Duplicates of a report that the library sends twice.
    AbsorbedDuplicates,
    /// Frames of the library or its dashboard that got no reply because they repeat one that did.
    AbsorbedFrames,
    /// Log entries dropped because of their rate.
    DroppedLogs,
    /// Reports of the library stamped with their arrival, because its clock is wrong.
    WrongClocks,
    /// Wrong credentials of the library, to which no reply is sent.
    SilencedPublishers,
    /// Connections closed because of what they sent.
    ClosedConnections,
    /// Frames whose connection was gone.
    GonePosts,
    /// Frames that could not be delivered in time.
    UndeliveredPosts,
    /// Panics, each contained.
    Panics,
    /// Credentials that could not be checked because of a fault of ours, and failed starts of `authorize`. Lambda's own
    /// `Errors` also counts wrong credentials, because only an error is answered with 401.
    AuthorizeFaults,
    /// Attempts to read a table that DynamoDB throttled, whether a later one succeeded or not.
    ThrottledReads,
    /// Attempts to write to one likewise.
    ThrottledWrites,
    /// Reads of a table that failed after all attempts.
    FailedReads,
    /// Writes likewise.
    FailedWrites,
    /// Rejected frames and reports, by code.
    Rejections(&'static str),
}

impl Counter {
    /// Rejections with `code`.
    pub fn rejections(code: Code) -> Self {
        Self::Rejections(code.as_str())
    }

    /// The name of its metric.
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
            Self::Panics => "Panics".to_owned(),
            Self::AuthorizeFaults => "AuthorizeFaults".to_owned(),
            Self::ThrottledReads => "ThrottledReads".to_owned(),
            Self::ThrottledWrites => "ThrottledWrites".to_owned(),
            Self::FailedReads => "FailedReads".to_owned(),
            Self::FailedWrites => "FailedWrites".to_owned(),
            Self::Rejections(code) => format!("Rejections.{code}"),
        }
    }
}

/// Counts that are added elsewhere, and taken when counters are emitted.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedCounts(Arc<Mutex<BTreeMap<Counter, u64>>>);

impl SharedCounts {
    pub(crate) fn add(&self, counter: Counter, count: u64) {
        *self.0.lock().entry(counter).or_default() += count;
    }

    fn take(&self) -> BTreeMap<Counter, u64> {
        std::mem::take(&mut self.0.lock())
    }
}

/// The counters of one function instance.
#[derive(Debug)]
pub struct Counters {
    namespace: String,
    state: Mutex<State>,
    /// Those of the calls of its clients.
    calls: SharedCounts,
}

#[derive(Debug, Default)]
struct State {
    pending: BTreeMap<Counter, u64>,
    total: BTreeMap<Counter, u64>,
    emitted_at: Option<TimestampMs>,
}

impl State {
    fn add(&mut self, counter: Counter, count: u64) {
        *self.pending.entry(counter).or_default() += count;
        *self.total.entry(counter).or_default() += count;
    }

    fn add_all(&mut self, counts: BTreeMap<Counter, u64>) {
        for (counter, count) in counts {
            self.add(counter, count);
        }
    }
}

impl Counters {
    /// Counters with metrics in `namespace`, and of clients whose calls are counted in `calls`.
    pub(crate) fn new(namespace: &str, calls: &SharedCounts) -> Self {
        Self { namespace: namespace.to_owned(), state: Mutex::default(), calls: calls.clone() }
    }

    /// Adds `count`. No call, no log line.
    pub fn add(&self, counter: Counter, count: u64) {
        if count == 0 {
            return;
        }
        self.state.lock().add(counter, count);
    }

    /// The sum of everything added to `counter`.
    pub fn total(&self, counter: Counter) -> u64 {
        let mut state = self.state.lock();
        state.add_all(self.calls.take());
        state.total.get(&counter).copied().unwrap_or(0)
    }

    /// Emits the counts since the last line, if that is long enough ago. To be called at the end of every invocation.
    pub fn emit(&self, now: TimestampMs) {
        if let Some(line) = self.line(now, passing_level()) {
            print(&line);
        }
    }

    /// The line to emit at `now`, if one is due.
    fn line(&self, now: TimestampMs, level: &'static str) -> Option<String> {
        let mut state = self.state.lock();
        state.add_all(self.calls.take());
        let is_early =
            state.emitted_at.is_some_and(|emitted| now.ms() < emitted.ms().saturating_add(EMIT_INTERVAL_MS));
        if state.pending.is_empty() || is_early {
            return None;
        }
        state.emitted_at = Some(now);
        Some(rendered(&self.namespace, &std::mem::take(&mut state.pending), now, level))
    }
}

/// Emits one panic or failed start at once: the instance may not reach its next line, and not every function counts
/// anything else.
pub(crate) fn emit_one(namespace: &str, counter: Counter, now: TimestampMs) {
    let counts = BTreeMap::from([(counter, 1)]);
    print(&rendered(namespace, &counts, now, passing_level()));
}

/// The level of a line that is not dropped by the function's log level: no metric may depend on it. Lambda treats a line
/// without a level or a valid `timestamp` as INFO, and drops it from WARN on. Source: the "Log-level filtering" page of
/// the Lambda developer guide. It is INFO where that passes, so that a search for warnings finds no counters.
pub(crate) fn passing_level() -> &'static str {
    if tracing::enabled!(Level::INFO) {
        "INFO"
    } else if tracing::enabled!(Level::WARN) {
        "WARN"
    } else {
        "ERROR"
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

#[expect(clippy::print_stdout, reason = "the format needs a whole line, which a log event would wrap")]
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
    fn counts_are_emitted_once_in_embedded_metric_format() {
        let counters = Counters::new("NehonixSmartLogger/test", &SharedCounts::default());
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
    fn panic_is_a_metric_of_its_own() {
        let line = rendered("test", &BTreeMap::from([(Counter::Panics, 1)]), at(0), "INFO");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&line["Panics"], &line["_aws"]["CloudWatchMetrics"][0]["Namespace"]),
            (&json!(1), &json!("test"))
        );
    }

    #[test]
    fn instance_emits_one_line_in_ten_seconds() {
        let counters = Counters::new("test", &SharedCounts::default());
        let lines = (0..60_000).step_by(100).filter(|ms| {
            counters.add(Counter::GonePosts, 1);
            counters.line(at(*ms), "INFO").is_some()
        });
        assert_eq!(lines.count(), 6);
        assert_eq!(counters.total(Counter::GonePosts), 600);
    }

    #[test]
    fn no_counts_emit_no_line() {
        let counters = Counters::new("test", &SharedCounts::default());
        counters.add(Counter::DroppedLogs, 0);
        assert_eq!(counters.line(at(0), "INFO"), None);
    }
}
