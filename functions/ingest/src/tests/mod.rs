//! Recorded events in; calls, rows and frames out. Time passes only in the events.

mod admission;
mod audience;
mod cost;
mod costliest;
mod deadline;
mod ended;
mod faults;
mod frames;
mod late;
mod legacy;
mod library_key;
mod processes;

use nsl_aws::apps::Saved;
use nsl_aws::subscriptions::{Added, Subscriber};
use nsl_domain::app::{App, KeyRecord, Status};
use nsl_domain::dialect::Dialect;
use nsl_domain::grant::{Grant, GrantedApps, Proof, Role};
use nsl_domain::ids::{ConnectionId, Scope};
use nsl_domain::time::TimestampMs;
use nsl_test_support::fixtures::{self, NOW_MS, grant, id, now};
use nsl_test_support::{TestEnvironment, events};
use serde_json::{Value, json};

use crate::handler::Ingest;
use crate::settings::Settings;

/// The connection of the publisher.
const PUBLISHER: &str = "UIcZQdQsoAMCLTw=";

/// The connection of the first of [`World::subscribers`].
const VIEWER: &str = "viewer-0=";

/// What the authorizer attaches to a program without a credential.
const NO_GRANT: events::Attached<'static> = &[("role", "program"), ("sourceIp", "203.0.113.7")];

/// One test's service, with the app `shop`.
struct World {
    env: TestEnvironment,
}

impl World {
    async fn start() -> Self {
        Self { env: TestEnvironment::with_app(&app("shop", Status::Active)).await }
    }

    /// An instance of the function that has handled no event.
    fn instance(&self) -> Ingest {
        let settings = Settings::read(|name| self.env.variable(name));
        Ingest::new(&self.env.clients, &settings.unwrap())
    }

    /// An instance that has stored a report of `shop` from [`PUBLISHER`], which authenticated in-band.
    async fn warm_instance(&self) -> Ingest {
        let ingest = self.instance();
        self.open(PUBLISHER, Some(&publishing("shop"))).await;
        ingest.receive_at(&metrics(&report(0)), NOW_MS - 1).await;
        self.env.take_calls();
        ingest
    }

    /// Opens a connection, with the grant of an in-band `auth`.
    async fn open(&self, connection: &str, grant: Option<&Grant>) {
        let sessions = self.env.sessions();
        let connection = ConnectionId::new(connection);
        sessions.open(&connection, Role::Program, &[], now()).await.unwrap();
        if let Some(grant) = grant {
            sessions.store_grant(&connection, grant, now()).await.unwrap();
        }
        self.env.take_calls();
    }

    /// Opens a connection that subscribes to `app` by its key.
    async fn subscribe(&self, connection: &str, app: &str, min_interval_ms: i64, dialect: Dialect) {
        let proof = grant(app, Scope::VIEW).stored_proof();
        let connection = ConnectionId::new(connection);
        self.add(app, &Subscriber { connection, min_interval_ms, dialect, proof }).await;
    }

    async fn add(&self, app: &str, subscriber: &Subscriber) {
        self.open(subscriber.connection.as_str(), None).await;
        let added = self.env.subscriptions().add(&id(app), subscriber, now()).await;
        assert_eq!(added.unwrap(), Added::Done);
        self.env.take_calls();
    }

    /// Opens `count` subscribers of `shop`.
    async fn subscribers(&self, count: usize) {
        for index in 0..count {
            self.subscribe(&format!("viewer-{index}="), "shop", 0, Dialect::Modern).await;
        }
    }

    /// Replaces the stored app `shop`.
    async fn replace_shop(&self, shop: &App) {
        let stored = self.env.apps().find(&id("shop")).await.unwrap().unwrap();
        assert_eq!(self.env.apps().save(&stored, shop).await.unwrap(), Saved::Done);
        self.env.take_calls();
    }

    /// How many reports are stored.
    async fn stored(&self) -> usize {
        self.env.rows("ReportsTable").await.len()
    }

    /// The types of the frames that `connection` was sent since calls were last taken.
    fn types(&self, connection: &str) -> Vec<Value> {
        self.env.frames(connection).into_iter().map(|frame| frame["type"].clone()).collect()
    }
}

/// A service, and an instance of the function that has handled no event.
async fn cold() -> (World, Ingest) {
    let world = World::start().await;
    let ingest = world.instance();
    (world, ingest)
}

/// A service, and an instance that has stored a report.
async fn warm() -> (World, Ingest) {
    let world = World::start().await;
    let ingest = world.warm_instance().await;
    (world, ingest)
}

impl Ingest {
    /// Handles `frame` from [`PUBLISHER`], whose handshake had no credential.
    async fn receive(&self, frame: &str) {
        self.receive_at(frame, NOW_MS).await;
    }

    async fn receive_at(&self, frame: &str, at_ms: i64) {
        self.receive_attached(frame, NO_GRANT, at_ms).await;
    }

    /// Handles `frame` from [`PUBLISHER`], whose handshake gave it `grant`.
    async fn receive_by(&self, grant: &Grant, frame: &str, at_ms: i64) {
        self.receive_attached(frame, &[("grant", &grant.to_text())], at_ms).await;
    }

    async fn receive_attached(&self, frame: &str, attached: events::Attached<'_>, at_ms: i64) {
        let parsed = serde_json::from_str::<Value>(frame).unwrap_or_default();
        let route = parsed["type"].as_str().unwrap_or("metrics");
        self.receive_event(events::message(PUBLISHER, route, frame, attached, at_ms)).await;
    }

    /// Whatever happens, the response has no body: an empty message would end a process that runs the library.
    async fn receive_event(&self, event: Value) {
        let response = self.handle(serde_json::from_value(event).unwrap()).await.unwrap();
        assert_eq!(response, nsl_aws::event::answer(200, None));
    }
}

fn app(name: &str, status: Status) -> App {
    App { status, legacy: true, ..fixtures::app(name) }
}

/// `shop` with another key than its own.
fn shop_with_key(secret: &str) -> App {
    App { keys: vec![KeyRecord::of(secret, Scope::BOTH)], ..app("shop", Status::Active) }
}

/// The grant of that key, limited to `scope`.
fn grant_by_key(secret: &str, scope: Scope) -> Grant {
    Grant { proof: Proof::Key(KeyRecord::of(secret, Scope::BOTH).id), ..grant("shop", scope) }
}

fn publishing(app: &str) -> Grant {
    grant(app, Scope::PUBLISH)
}

/// A report of `shop`, `offset_ms` after [`NOW_MS`].
fn report(offset_ms: i64) -> Value {
    report_of("shop", offset_ms)
}

fn report_of(app: &str, offset_ms: i64) -> Value {
    json!({"appId": app, "timestamp": NOW_MS + offset_ms, "metrics": {"cpu": {"usage": 61.4}}})
}

fn metrics(reports: &Value) -> String {
    json!({"type": "metrics", "data": reports}).to_string()
}

fn metrics_with_id(reports: &Value) -> String {
    json!({"type": "metrics", "id": "f1", "data": reports}).to_string()
}
