//! The function against the test bed: an HTTP call's event in, an answer out, and what it cost.
//!
//! Now is an argument, so the windows of these tests never move.

mod answers;
mod cost;
mod refusals;

use lambda_http::{Body, Response};
use nsl_aws::boot::{Clients, LocalEndpoints, local_clients};
use nsl_domain::app::{App, DEFAULT_SHARDS, KeyRecord, Status};
use nsl_domain::grant::{Grant, Proof, Reach, Scope};
use nsl_domain::ids::{AppId, Source, UserId};
use nsl_domain::report::{Document, Report};
use nsl_domain::time::{HOUR_MS, TimestampMs};
use nsl_testbed::{TestBed, events};
use serde_json::Value;

use crate::handler::History;
use crate::settings::Settings;

/// The present: 2026-11-22T13:01:01.387Z.
const NOW_MS: i64 = 1_795_352_461_387;

const METRICS: &str = "GET /apps/{appId}/metrics";
const LATEST: &str = "GET /apps/{appId}/metrics/latest";

/// One test's service with the application `shop`.
struct World {
    bed: TestBed,
    clients: Clients,
}

/// One call of the HTTP API.
struct Call<'a> {
    route: &'a str,
    app: &'a str,
    query: &'a str,
    accept: &'a str,
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
            grant: Some(grant("shop", Scope::View)),
        }
    }
}

/// What a caller sees of an answer.
struct Answer {
    status: u16,
    media_type: String,
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
        assert_eq!(header("vary"), "Authorization, Origin");
        let (status, media_type) = (response.status().as_u16(), header("content-type"));
        let Body::Text(text) = response.into_body() else { panic!("the answer is no text") };
        Self { status, media_type, text }
    }

    fn json(&self) -> Value {
        assert_eq!(self.media_type, "application/json");
        serde_json::from_str(&self.text).unwrap()
    }
}

impl World {
    async fn start() -> Self {
        let bed = TestBed::start().await;
        let endpoints = LocalEndpoints {
            tables: bed.store.url(),
            connections: bed.desk.url(),
            region: TestBed::REGION.to_owned(),
        };
        let clients = local_clients(&endpoints).await;
        let world = Self { bed, clients };
        world.register(&app("shop")).await;
        world
    }

    async fn register(&self, app: &App) {
        self.clients.apps(&self.bed.table("AppsTable")).create(app).await.unwrap();
        self.bed.take_calls();
    }

    /// An instance of the function that has answered no call.
    fn instance(&self) -> History {
        let settings = Settings::read(|name| {
            Some(match name {
                "APPS_TABLE" => self.bed.table("AppsTable"),
                "REPORTS_TABLE" => self.bed.table("ReportsTable"),
                "RAW_RETENTION_HOURS" => "48".to_owned(),
                _ => return None,
            })
        });
        History::new(&self.clients, &settings.unwrap())
    }

    /// Stores a report of `app`, stamped `offset_ms` after the present.
    async fn store(&self, app_name: &str, source: &str, offset_ms: i64, document: &str) {
        let report = Report {
            app: id(app_name),
            source: Source::new(source).unwrap(),
            timestamp: TimestampMs::clamped(NOW_MS + offset_ms),
            document: Document::accept(document).unwrap(),
        };
        let reports = self.clients.reports(&self.bed.table("ReportsTable"));
        reports.store(&report, &app(app_name), 48 * HOUR_MS).await.unwrap();
        self.bed.take_calls();
    }

    async fn ask(&self, call: Call<'_>) -> Answer {
        ask(&self.instance(), call).await
    }
}

async fn ask(history: &History, call: Call<'_>) -> Answer {
    let path = call.route.trim_start_matches("GET ").replace("{appId}", call.app);
    let grant = call.grant.map(|grant| grant.to_text());
    let attached = grant.as_ref().map(|grant| [("grant", grant.as_str())]);
    let event = events::http_call(
        call.route,
        (&path, call.query),
        &[("appId", call.app)],
        &[("accept", call.accept)],
        attached.as_ref().map(|attached| &attached[..]),
    );
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    Answer::of(history.answer(&request, TimestampMs::clamped(NOW_MS)).await)
}

fn id(app: &str) -> AppId {
    AppId::new(app).unwrap()
}

fn app(name: &str) -> App {
    App {
        id: id(name),
        owner: UserId::new("ann").unwrap(),
        name: name.to_owned(),
        status: Status::Active,
        keys: vec![KeyRecord::of(name, Scope::Both)],
        legacy: false,
        shards: DEFAULT_SHARDS,
        tokens_not_before: None,
    }
}

/// What the key of `app` proves, held to `scope`.
fn grant(app: &str, scope: Scope) -> Grant {
    Grant {
        user: UserId::new("ann").unwrap(),
        scope,
        reach: Reach::Apps(vec![id(app)]),
        proof: Proof::Key(KeyRecord::of(app, scope).id),
        until: None,
    }
}
