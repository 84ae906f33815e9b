//! The cases: a function, its events, the subscribers, and the expected response and calls.
//!
//! Events are API Gateway's own from tests/support/fixtures, each with a new timestamp and document, so that caches work
//! as they would on AWS.

#![expect(clippy::indexing_slicing, reason = "of JSON objects, which gain missing fields")]

use nsl_domain::app::KeyRecord;
use nsl_domain::grant::{Grant, GrantedApps, Proof};
use nsl_domain::ids::{AppId, Scope, Subject};
use nsl_domain::time::{MINUTE_MS, TimestampMs};
use serde_json::{Value, json};

use crate::fake_aws::{Counted, GONE, SILENT};
use crate::rows::API_KEY;
use nsl_bench::{APP, Documents, reports, stream_event};

const MESSAGE: &str = include_str!("../../../tests/support/fixtures/message.json");
const HTTP_AUTHORIZER: &str = include_str!("../../../tests/support/fixtures/http-authorizer.json");
const HTTP_CALL: &str = include_str!("../../../tests/support/fixtures/http-call.json");
/// Milliseconds between events: ten reports per second are below every rate limit.
const BETWEEN_EVENTS_MS: i64 = 100;
/// Connections that subscribe in turn, so that none exceeds its rate limit.
const SUBSCRIBING: u64 = 10;
/// Records of a stream batch: a minute of one source.
const BATCH_RECORDS: i64 = 60;

/// The kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hello,
    Authorize,
    Subscribe,
    /// A frame with so many reports, with or without an acknowledgement.
    Reports {
        count: usize,
        acknowledged: bool,
    },
    Stream,
    History {
        range: &'static str,
    },
}

/// The subscribers of the app.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Audience {
    pub(crate) reading: usize,
    pub(crate) gone: usize,
    pub(crate) silent: usize,
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) binary: &'static str,
    kind: Kind,
    pub(crate) audience: Audience,
    /// Whether starts are measured too.
    pub(crate) starts: bool,
    /// Divisor of the number of events: a large fan-out takes as long as many reports.
    pub(crate) thinned: u32,
}

const READER: Audience = Audience { reading: 1, gone: 0, silent: 0 };
const NO_SUBSCRIBERS: Audience = Audience { reading: 0, gone: 0, silent: 0 };
const REPORT: Kind = Kind::Reports { count: 1, acknowledged: false };

const TEN_REPORTS: Kind = Kind::Reports { count: 10, acknowledged: false };

/// Cases without a name.
const CASE: Case =
    Case { name: "", binary: "", kind: Kind::Hello, audience: NO_SUBSCRIBERS, starts: false, thinned: 10 };
const INGEST: Case = Case { binary: "ingest", kind: REPORT, audience: READER, thinned: 5, ..CASE };

const fn fan_out(name: &'static str, reading: usize, gone: usize, silent: usize, thinned: u32) -> Case {
    Case { name, audience: Audience { reading, gone, silent }, thinned, ..INGEST }
}

/// All cases, in the order of the results.
pub(crate) const CASES: [Case; 18] = [
    Case { name: "hello", binary: "nsl-hello", kind: Kind::Hello, starts: true, ..CASE },
    Case { name: "authorize", binary: "authorize", kind: Kind::Authorize, starts: true, ..CASE },
    Case { name: "session", binary: "session", kind: Kind::Subscribe, starts: true, ..CASE },
    Case { name: "ingest", thinned: 1, starts: true, ..INGEST },
    Case { name: "rollup", binary: "rollup", kind: Kind::Stream, starts: true, ..CASE },
    Case { name: "history", binary: "history", kind: Kind::History { range: "day" }, starts: true, ..CASE },
    Case { name: "history, hour", binary: "history", kind: Kind::History { range: "hour" }, ..CASE },
    Case { name: "history, week", binary: "history", kind: Kind::History { range: "week" }, ..CASE },
    Case { name: "ingest, no subscribers", audience: NO_SUBSCRIBERS, ..INGEST },
    Case { name: "ingest, answered", kind: Kind::Reports { count: 1, acknowledged: true }, ..INGEST },
    Case { name: "ingest, ten at once", kind: TEN_REPORTS, thinned: 10, ..INGEST },
    fan_out("fan-out to 10", 10, 0, 0, 10),
    fan_out("fan-out to 100", 100, 0, 0, 50),
    fan_out("fan-out to 1,000", 1_000, 0, 0, 250),
    fan_out("fan-out to 5,000", 5_000, 0, 0, 1_000),
    fan_out("fan-out to 1,000, one gone", 999, 1, 0, 250),
    fan_out("fan-out to 1,000, a hundred gone", 900, 100, 0, 250),
    fan_out("fan-out to 1,000, one does not read", 999, 0, 1, 2_500),
];

impl Audience {
    /// The ids of the connections.
    pub(crate) fn names(self) -> impl Iterator<Item = String> {
        let named =
            |prefix: &'static str, count| (0..count).map(move |index| format!("{prefix}L0SM9cOF{index:05}="));
        named("", self.reading).chain(named(GONE, self.gone)).chain(named(SILENT, self.silent))
    }
}

impl Case {
    /// Event number `number` of a run that began at `start`.
    pub(crate) fn event(&self, number: u64, start: TimestampMs) -> anyhow::Result<String> {
        let at = start.plus_ms(i64::try_from(number)? * BETWEEN_EVENTS_MS);
        let event = match self.kind {
            Kind::Hello => json!({}),
            Kind::Authorize => {
                let mut event: Value = serde_json::from_str(HTTP_AUTHORIZER)?;
                event["headers"]["authorization"] = json!(format!("Bearer {API_KEY}"));
                event
            }
            Kind::Subscribe => {
                let mut event = message("subscribe", &json!({"appId": APP}), at, None)?;
                let connection = format!("L0SM9cOF{:05}=", number % SUBSCRIBING);
                event["requestContext"]["connectionId"] = json!(connection);
                event
            }
            Kind::Reports { count, acknowledged } => {
                let mut documents = Documents::new(0)?;
                let first = number * count as u64;
                let mut reports = (0..count as u64).map(
                    |index| json!({"appId": APP, "source": "web-1", "metrics": documents.of(first + index)}),
                );
                let data = if count == 1 { reports.next().unwrap_or_default() } else { reports.collect() };
                message("metrics", &data, at, acknowledged.then_some(number))?
            }
            Kind::Stream => stream(start)?,
            Kind::History { range } => history(range)?,
        };
        Ok(event.to_string())
    }

    /// A part of the response if the event was processed.
    pub(crate) fn expected(&self) -> &'static str {
        match self.kind {
            Kind::Hello => "hello",
            Kind::Authorize => "\"isAuthorized\":true",
            Kind::Subscribe => "subscribed",
            Kind::Reports { .. } => "\"statusCode\":200",
            Kind::Stream => "\"batchItemFailures\":[]",
            Kind::History { .. } => "completeTo",
        }
    }

    /// An error if `events` events made fewer calls than docs/DATA_MODEL.md says.
    pub(crate) fn call_error(&self, events: u64, calls: Counted) -> Option<String> {
        let audience = self.audience.reading + self.audience.gone + self.audience.silent;
        let (writes, posts) = match self.kind {
            Kind::Hello | Kind::Authorize | Kind::History { .. } => (0, 0),
            Kind::Subscribe => (2, 0),
            // The last report of the source. Unchanged rollups are not written.
            Kind::Stream => (1, 0),
            Kind::Reports { count, acknowledged } => (count, count * audience + usize::from(acknowledged)),
        };
        let reads = u64::from(!matches!(self.kind, Kind::Hello | Kind::Authorize)) * events;
        let (writes, posts) = (writes as u64 * events, posts as u64 * events);
        let enough = calls.reads >= reads && calls.writes >= writes && calls.posts >= posts;
        (!enough).then(|| format!("{}: {events} events made only {calls:?}", self.name))
    }
}

/// A grant as the authorizer attaches it to a connection.
fn grant() -> anyhow::Result<String> {
    let grant = Grant {
        user: Subject::new("ann")?,
        scope: Scope::BOTH,
        reach: GrantedApps::Apps(vec![AppId::new(APP)?]),
        proof: Proof::Key(KeyRecord::of(API_KEY, Scope::BOTH).id),
        until: None,
        library: false,
    };
    Ok(grant.to_text())
}

fn message(kind: &str, data: &Value, at: TimestampMs, id: Option<u64>) -> anyhow::Result<Value> {
    let mut event: Value = serde_json::from_str(MESSAGE)?;
    let frame = match id {
        Some(id) => json!({"type": kind, "id": id, "data": data}),
        None => json!({"type": kind, "data": data}),
    };
    event["body"] = json!(frame.to_string());
    let context = &mut event["requestContext"];
    context["routeKey"] = json!(kind);
    context["requestTimeEpoch"] = json!(at.ms());
    context["authorizer"] = json!({"principalId": "ann", "role": "program", "grant": grant()?});
    Ok(event)
}

fn history(range: &str) -> anyhow::Result<Value> {
    let mut event: Value = serde_json::from_str(HTTP_CALL)?;
    event["rawQueryString"] = json!(format!("timeRange={range}"));
    event["pathParameters"] = json!({"appId": APP});
    event["requestContext"]["authorizer"] = json!({"lambda": {"grant": grant()?, "role": "program"}});
    Ok(event)
}

/// The same batch every time, of the minute before `start`, whose reports are in the table.
fn stream(start: TimestampMs) -> anyhow::Result<Value> {
    let minute = start.aligned_to(MINUTE_MS).plus_ms(-MINUTE_MS);
    Ok(stream_event(&reports(minute, BATCH_RECORDS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_differ_in_instant_and_document() {
        let start = TimestampMs::clamped(1_795_352_461_387);
        for case in CASES.iter().filter(|case| matches!(case.kind, Kind::Reports { .. })) {
            let (first, second) = (case.event(1, start).unwrap(), case.event(2, start).unwrap());
            assert!(first.contains("1795352461487") && second.contains("1795352461587"), "{}", case.name);
            assert!(first.contains(r#"\"sequence\":"#) && first != second);
        }
    }

    #[test]
    fn every_function_has_one_case_with_starts() {
        let started = CASES.iter().filter(|case| case.starts).map(|case| case.binary);
        let expected = ["nsl-hello", "authorize", "session", "ingest", "rollup", "history"];
        assert_eq!(started.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn function_that_makes_too_few_calls_is_an_error() {
        let ingest = CASES.iter().find(|case| case.name == "ingest").unwrap();
        assert_eq!(ingest.call_error(10, Counted { reads: 11, writes: 10, posts: 10 }), None);
        assert!(ingest.call_error(10, Counted { reads: 11, writes: 10, posts: 9 }).is_some());
    }
}
