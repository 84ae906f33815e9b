//! The handlers against a real engine: an event in, a response and its calls of DynamoDB out. Now is fixed.

mod answers;
mod caching;
mod call_limit;
mod corrupt_rollups;
mod cost;
mod costliest;
mod encodings;
mod golden;
mod logs;
mod origin_secret;
mod overview;
mod queries;
mod rejections;
mod sources;
mod tail;

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Mutex;

use lambda_http::{Body, Response};
use nsl_domain::app::{App, Status};
use nsl_domain::grant::{Grant, GrantedApps, Proof};
use nsl_domain::ids::{AppId, Scope, Source};
use nsl_domain::report::{Document, Report};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{Activity, AppShard, MinuteBuilder, Rollup, RollupSpan};
use nsl_domain::time::{HOUR_MS, MINUTE_MS, TimestampMs};
use nsl_test_support::fixtures::{NOW_MS, app, grant, id, now};
use nsl_test_support::{TestEnvironment, events};
use serde_json::{Value, json};

use crate::handler::History;
use crate::settings::Settings;

const METRICS: &str = "GET /apps/{appId}/metrics";
const SUMMARY: &str = "GET /apps/{appId}/summary";
const SERIES: &str = "GET /apps/{appId}/series";
const LATEST: &str = "GET /apps/{appId}/metrics/latest";
const LOGS: &str = "GET /apps/{appId}/logs";
const APPS: &str = "GET /apps";

const READ_APP: &str = "GetItem AppsTable consistent";
const READ_ROLLUPS: &str = "Query RollupsTable eventual";
const READ_LAST_REPORTS: &str = "Query RollupsTable consistent";
const READ_TAIL: &str = "Query ReportsTable consistent";

/// The function's tables, with the application `shop`.
struct TestService {
    env: TestEnvironment,
    /// Every stored report.
    stored: Mutex<Vec<Report>>,
}

/// A call of the HTTP API.
#[derive(Clone)]
struct Call<'a> {
    route: &'a str,
    app: &'a str,
    query: &'a str,
    accept: &'a str,
    accept_encoding: &'a str,
    if_none_match: &'a str,
    grant: Option<Grant>,
}

/// A call of `route` for `shop` by one of its viewers.
fn call(route: &str) -> Call<'_> {
    let grant = Some(grant("shop", Scope::VIEW));
    let (accept, accept_encoding) = ("application/json", "");
    Call { route, app: "shop", query: "", accept, accept_encoding, if_none_match: "", grant }
}

/// Such a call for the history of `shop`.
fn metrics(query: &str) -> Call<'_> {
    Call { query, ..call(METRICS) }
}

/// The parts of a response that the tests look at.
struct Answer {
    status: u16,
    media_type: String,
    tag: String,
    cache_control: String,
    retry_after: String,
    coding: String,
    /// The length that HEAD gets in place of the body.
    length: String,
    /// As sent.
    bytes: usize,
    /// Decompressed.
    text: String,
}

impl Answer {
    fn of(response: Response<Body>) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        assert!(header("cache-control").contains("private"));
        assert_eq!(header("vary"), "Authorization, Origin, Accept, Accept-Encoding");
        let (status, media_type) = (response.status().as_u16(), header("content-type"));
        let (tag, cache_control) = (header("etag"), header("cache-control"));
        let retry_after = header("retry-after");
        let (coding, length) = (header("content-encoding"), header("content-length"));
        let bytes = response.body().len();
        let text = match response.into_body() {
            Body::Text(text) => text,
            Body::Binary(bytes) => decompressed(&bytes),
            _ => String::new(),
        };
        Self { status, media_type, tag, cache_control, retry_after, coding, length, bytes, text }
    }

    fn json(&self) -> Value {
        assert_eq!(self.media_type, "application/json");
        serde_json::from_str(&self.text).unwrap()
    }

    /// The values of one aggregate of a series; none if the series is absent.
    fn column(&self, series: &str, aggregate: &str) -> Vec<Value> {
        self.json()["series"][series][aggregate].as_array().cloned().unwrap_or_default()
    }

    /// The sum of the same.
    fn total(&self, series: &str, aggregate: &str) -> f64 {
        self.column(series, aggregate).iter().filter_map(Value::as_f64).sum()
    }

    fn series_names(&self) -> Vec<String> {
        self.json()["series"].as_object().unwrap().keys().cloned().collect()
    }
}

impl TestService {
    async fn start() -> Self {
        Self { env: TestEnvironment::with_app(&app("shop")).await, stored: Mutex::default() }
    }

    /// An instance of the function with an empty cache.
    fn instance(&self) -> History {
        let settings = Settings::read(|name| self.env.variable(name));
        History::new(&self.env.clients, &settings.unwrap())
    }

    /// Stores a report stamped `offset_ms` after now, and rolls it up if it is more than a minute old.
    async fn store(&self, app_name: &str, source: &str, offset_ms: i64, document: &str) {
        let report = Report {
            app: id(app_name),
            source: Source::new(source).unwrap(),
            timestamp: now().plus_ms(offset_ms),
            document: Document::accept(document).unwrap(),
        };
        self.env.reports().store(&report, &app(app_name), 48 * HOUR_MS).await.unwrap();
        self.stored.lock().unwrap().push(report.clone());
        if offset_ms < -MINUTE_MS {
            self.roll_up(&report).await;
        }
        self.env.take_calls();
    }

    /// Stores a row of `shop` of this age with any text as its document, and no rollup.
    async fn put_row(&self, age_ms: i64, document: &str) {
        let at = now().plus_ms(-age_ms);
        let hour = &at.to_string()[..13];
        let row = json!({"pk": {"S": format!("shop#{hour}#0")}, "sk": {"S": format!("{:015}#x#{age_ms}", at.ms())},
            "appId": {"S": "shop"}, "source": {"S": "x"}, "timestamp": {"N": at.ms().to_string()},
            "document": {"S": document}, "expiresAt": {"N": (at.seconds() + 72 * 3_600).to_string()}});
        self.env.put("ReportsTable", row).await;
    }

    /// Does what the rollup function does for `report`.
    async fn roll_up(&self, report: &Report) {
        let rollups = self.env.rollups();
        let shard = AppShard { app: report.app.clone(), shard: 0 };
        let mut next = Some(RollupSpan::containing(Resolution::Minute, report.timestamp));
        while let Some(span) = next {
            let before = rollups.find(&shard, span).await.unwrap();
            let mut rollup = rolled_up(&self.stored.lock().unwrap(), &report.app, span);
            let bytes = rollup.to_bytes().unwrap();
            let activity = activity_in(&self.stored.lock().unwrap(), &report.app, span);
            rollups.put_with(activity.as_ref(), &shard, &rollup, bytes, before.as_ref()).await.unwrap();
            next = span.coarser();
        }
        rollups.put_last_report(report).await.unwrap();
    }

    /// The answer of a new instance.
    async fn get(&self, call: Call<'_>) -> Answer {
        get(&self.instance(), call).await
    }

    /// How many calls of each of these operations were made since the last look; panics if there were others.
    fn take_counts<const N: usize>(&self, operations: [&str; N]) -> [usize; N] {
        let lines = self.env.take_lines();
        let counts = operations.map(|operation| lines.iter().filter(|line| *line == operation).count());
        assert_eq!(counts.iter().sum::<usize>(), lines.len(), "{lines:?}");
        counts
    }
}

fn decompressed(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

/// The activity of `span` from all stored reports of `app`; `None` unless it is a minute.
fn activity_in(stored: &[Report], app: &AppId, span: RollupSpan) -> Option<Activity> {
    let within = stored.iter().filter(|report| report.app == *app && span.contains(report.timestamp));
    let reports: Vec<Report> = within.cloned().collect();
    if span.finer().is_none() { Activity::of_reports(&reports) } else { None }
}

/// The rollup of `span` from all stored reports of `app`.
fn rolled_up(stored: &[Report], app: &AppId, span: RollupSpan) -> Rollup {
    let within = || stored.iter().filter(|report| report.app == *app && span.contains(report.timestamp));
    let Some(finer) = span.finer() else {
        let mut minute = MinuteBuilder::new(span);
        for report in within() {
            let (hash, document) = (report.document.hash(), report.document.as_str());
            let _ = minute.add(report.timestamp, &report.source, hash, document);
        }
        return minute.finish();
    };
    let below: BTreeSet<_> = within().map(|report| RollupSpan::containing(finer, report.timestamp)).collect();
    let below: Vec<Rollup> = below.into_iter().map(|below| rolled_up(stored, app, below)).collect();
    Rollup::from_finer(span, &below, now()).unwrap()
}

async fn get(history: &History, call: Call<'_>) -> Answer {
    call_at(history, call, now()).await
}

async fn call_at(history: &History, call: Call<'_>, now: TimestampMs) -> Answer {
    let (_, path) = call.route.split_once(' ').unwrap();
    let path = path.replace("{appId}", call.app);
    let grant = call.grant.map(|grant| grant.to_text());
    let attached = grant.as_ref().map(|grant| [("grant", grant.as_str())]);
    let event = events::http_call(
        call.route,
        (&path, call.query),
        &[("appId", call.app)],
        &[
            ("accept", call.accept),
            ("accept-encoding", call.accept_encoding),
            ("if-none-match", call.if_none_match),
        ],
        attached.as_ref().map(|attached| &attached[..]),
    );
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    Answer::of(history.answer(&request, now).await)
}
