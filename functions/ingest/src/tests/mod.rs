//! The function against the test environment: recorded events in; calls, rows and frames out.
//!
//! Nothing here waits for time to pass: it stands in the events.

mod audience;
mod cost;
mod doubles;
mod faults;
mod frames;

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use nsl_aws::subscriptions::{Added, Subscriber};
use nsl_domain::app::{App, KeyRecord, Status};
use nsl_domain::frame::outbound::Dialect;
use nsl_domain::grant::{Grant, Proof, Role};
use nsl_domain::ids::{ConnectionId, Scope};
use nsl_domain::time::TimestampMs;
use nsl_test_support::fixtures::{self, NOW_MS, grant, id, now};
use nsl_test_support::{TestEnvironment, events};
use serde_json::{Value, json};

use crate::handler::Ingest;
use crate::settings::Settings;

/// The connection of the publisher, as API Gateway names one.
const PUBLISHER: &str = "UIcZQdQsoAMCLTw=";

/// What the authorizer attaches to a program that proved nothing.
const STRANGER: events::Attached<'static> = &[("role", "program"), ("sourceIp", "203.0.113.7")];

/// One test's service with the application `shop`.
struct World {
    env: TestEnvironment,
}

impl World {
    async fn start() -> Self {
        Self { env: TestEnvironment::with_app(&app("shop", Status::Active)).await }
    }

    /// An instance of the function that has seen no event.
    fn instance(&self) -> Ingest {
        let settings = Settings::read(|name| self.env.variable(name));
        Ingest::new(&self.env.clients, &settings.unwrap())
    }

    /// One that has stored a report of `shop` from [`PUBLISHER`] already.
    async fn warm_instance(&self) -> Ingest {
        let ingest = self.instance();
        self.open(PUBLISHER, Some(&publishing("shop"))).await;
        hear(&ingest, &metrics(&report(0)), STRANGER, NOW_MS - 1).await;
        self.env.take_calls();
        ingest
    }

    /// Opens a connection, and lets it prove `grant` by an in-band `auth`.
    async fn open(&self, connection: &str, grant: Option<&Grant>) {
        let sessions = self.env.sessions();
        let connection = ConnectionId::new(connection);
        sessions.open(&connection, Role::Program, &[], now()).await.unwrap();
        if let Some(grant) = grant {
            sessions.store_grant(&connection, grant).await.unwrap();
        }
    }

    async fn subscribe(&self, connection: &str, app: &str, min_interval_ms: i64, dialect: Dialect) {
        let proof = grant(app, Scope::View).subscription_proof();
        let connection = ConnectionId::new(connection);
        self.seat(app, &Subscriber { connection, min_interval_ms, dialect, proof }).await;
    }

    /// Opens a connection that watches `app`.
    async fn seat(&self, app: &str, subscriber: &Subscriber) {
        self.open(subscriber.connection.as_str(), None).await;
        let subscriptions = self.env.subscriptions();
        let added = subscriptions.add(&id(app), subscriber, now()).await.unwrap();
        assert_eq!(added, Added::Done);
    }

    /// Opens `count` modern subscribers of `shop`.
    async fn subscribers(&self, count: usize) {
        for index in 0..count {
            self.subscribe(&format!("viewer-{index}="), "shop", 0, Dialect::Modern).await;
        }
        self.env.take_calls();
    }

    async fn stored(&self) -> usize {
        self.env.rows("ReportsTable").await.len()
    }
}

/// Lets the function hear `frame` from [`PUBLISHER`]. Its routes are one-way: whatever happens, the result has no
/// body, for an empty message kills the library.
async fn hear(ingest: &Ingest, frame: &str, attached: events::Attached<'_>, at_ms: i64) {
    let kind = serde_json::from_str::<Value>(frame).unwrap_or_default();
    let route = kind["type"].as_str().unwrap_or("metrics");
    let event = events::message(PUBLISHER, route, frame, attached, at_ms);
    let response = ingest.handle(serde_json::from_value(event).unwrap()).await.unwrap();
    assert_eq!(response, one_way());
}

fn one_way() -> ApiGatewayProxyResponse {
    nsl_aws::event::answer(200, None)
}

pub(crate) fn app(name: &str, status: Status) -> App {
    App { status, legacy: true, ..fixtures::app(name) }
}

fn publishing(app: &str) -> Grant {
    grant(app, Scope::Publish)
}

/// One report of `shop`, stamped `offset_ms` after the present.
fn report(offset_ms: i64) -> Value {
    json!({"appId": "shop", "timestamp": NOW_MS + offset_ms, "metrics": {"cpu": {"usage": 61.4}}})
}

fn metrics(reports: &Value) -> String {
    json!({"type": "metrics", "data": reports}).to_string()
}

fn metrics_with_id(reports: &Value) -> String {
    json!({"type": "metrics", "id": "f1", "data": reports}).to_string()
}
