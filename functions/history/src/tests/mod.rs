//! The function against the test environment: an HTTP call's event in, an answer out, and what it cost.
//!
//! Now is an argument, so the windows of these tests never move.

mod answers;
mod caching;
mod corrupt_rollups;
mod cost;
mod logs;
mod overview;
mod rejections;
mod sources;
mod tail;

#[path = "../../../shared/domain/tests/rollup/hosts.rs"]
#[expect(dead_code, reason = "the tests of sizes need more of it")]
mod hosts;

use std::collections::BTreeSet;
use std::sync::Mutex;

use lambda_http::{Body, Response};
use nsl_domain::app::{KeyRecord, Status};
use nsl_domain::grant::{Grant, GrantedApps, Proof};
use nsl_domain::ids::{AppId, Scope, Source, UserId};
use nsl_domain::report::{Document, Report};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, MinuteBuilder, Rollup, RollupSpan};
use nsl_domain::time::{HOUR_MS, MINUTE_MS, TimestampMs};
use nsl_test_support::fixtures::{NOW_MS, app, grant, id};
use nsl_test_support::{TestEnvironment, events};
use serde_json::Value;

use crate::handler::History;
use crate::settings::Settings;

const METRICS: &str = "GET /apps/{appId}/metrics";
const SUMMARY: &str = "GET /apps/{appId}/summary";
const SERIES: &str = "GET /apps/{appId}/series";
const LATEST: &str = "GET /apps/{appId}/metrics/latest";

/// One test's service with the application `shop`.
struct World {
    env: TestEnvironment,
    /// Every report that was stored.
    stored: Mutex<Vec<Report>>,
}

/// One call of the HTTP API.
struct Call<'a> {
    route: &'a str,
    app: &'a str,
    query: &'a str,
    accept: &'a str,
    /// The tag of the answer that the caller has.
    has: &'a str,
    grant: Option<Grant>,
}

impl Default for Call<'_> {
    /// The history of `shop`, asked for by a viewer of it.
    fn default() -> Self {
        Self {
            route: METRICS,
            app: "shop",
            query: "",
            accept: "application/json",
            has: "",
            grant: Some(grant("shop", Scope::View)),
        }
    }
}

/// What a caller sees of an answer.
struct Answer {
    status: u16,
    media_type: String,
    tag: String,
    cache_control: String,
    text: String,
}

impl Answer {
    fn of(response: Response<Body>) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        // Answers are for this caller alone.
        assert!(header("cache-control").contains("private"));
        assert_eq!(header("vary"), "Authorization, Origin, Accept");
        let (status, media_type) = (response.status().as_u16(), header("content-type"));
        let (tag, cache_control) = (header("etag"), header("cache-control"));
        let Body::Text(text) = response.into_body() else { panic!("the answer is no text") };
        Self { status, media_type, tag, cache_control, text }
    }

    fn json(&self) -> Value {
        assert_eq!(self.media_type, "application/json");
        serde_json::from_str(&self.text).unwrap()
    }
}

impl World {
    async fn start() -> Self {
        Self { env: TestEnvironment::with_app(&app("shop")).await, stored: Mutex::default() }
    }

    /// An instance of the function that has answered no call.
    fn instance(&self) -> History {
        let settings = Settings::read(|name| self.env.variable(name));
        History::new(&self.env.clients, &settings.unwrap())
    }

    /// Stores a report of `app`, stamped `offset_ms` after the present, and rolls it up if it is a minute old.
    async fn store(&self, app_name: &str, source: &str, offset_ms: i64, document: &str) {
        let report = Report {
            app: id(app_name),
            source: Source::new(source).unwrap(),
            timestamp: TimestampMs::clamped(NOW_MS + offset_ms),
            document: Document::accept(document).unwrap(),
        };
        self.env.reports().store(&report, &app(app_name), 48 * HOUR_MS).await.unwrap();
        self.stored.lock().unwrap().push(report.clone());
        if offset_ms < -MINUTE_MS {
            self.roll_up(&report).await;
        }
        self.env.take_calls();
    }

    /// Does what the rollup function does once it has been told of `report`.
    async fn roll_up(&self, report: &Report) {
        let rollups = self.env.rollups();
        let shard = AppShard { app: report.app.clone(), shard: 0 };
        let mut above = Some(RollupSpan::containing(Resolution::Minute, report.timestamp));
        while let Some(span) = above {
            let before = rollups.find(&shard, span).await.unwrap();
            let mut rollup = rolled_up(&self.stored.lock().unwrap(), &report.app, span);
            let bytes = rollup.to_bytes().unwrap();
            rollups.put(&shard, &rollup, bytes, before.as_ref()).await.unwrap();
            above = span.coarser();
        }
        rollups.put_last_report(report).await.unwrap();
    }

    async fn ask(&self, call: Call<'_>) -> Answer {
        ask(&self.instance(), call).await
    }
}

/// The rollup of `span` from all that is stored of `app`, at the present.
fn rolled_up(stored: &[Report], app: &AppId, span: RollupSpan) -> Rollup {
    let within = || stored.iter().filter(|report| report.app == *app && span.contains(report.timestamp));
    let Some(finer) = span.finer() else {
        let mut fold = MinuteBuilder::new(span);
        for report in within() {
            let _ =
                fold.add(report.timestamp, &report.source, report.document.hash(), report.document.as_str());
        }
        return fold.finish();
    };
    let below: BTreeSet<_> = within().map(|report| RollupSpan::containing(finer, report.timestamp)).collect();
    let below: Vec<Rollup> = below.into_iter().map(|below| rolled_up(stored, app, below)).collect();
    Rollup::from_finer(span, &below, TimestampMs::clamped(NOW_MS)).unwrap()
}

async fn ask(history: &History, call: Call<'_>) -> Answer {
    ask_at(history, call, TimestampMs::clamped(NOW_MS)).await
}

async fn ask_at(history: &History, call: Call<'_>, now: TimestampMs) -> Answer {
    let path = call.route.trim_start_matches("GET ").replace("{appId}", call.app);
    let grant = call.grant.map(|grant| grant.to_text());
    let attached = grant.as_ref().map(|grant| [("grant", grant.as_str())]);
    let event = events::http_call(
        call.route,
        (&path, call.query),
        &[("appId", call.app)],
        &[("accept", call.accept), ("if-none-match", call.has)],
        attached.as_ref().map(|attached| &attached[..]),
    );
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    Answer::of(history.answer(&request, now).await)
}
