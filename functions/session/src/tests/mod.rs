//! The function against the test environment: recorded events in; calls, rows, results and frames out.
//!
//! Nothing here waits for time to pass: it stands in the events.

mod auth;
mod cost;
mod faults;
mod handshake;
mod legacy;
mod legacy_cost;
mod watching;

use nsl_auth::token::TrustedKeys;
use nsl_domain::app::{App, KeyRecord, Status};
use nsl_domain::grant::{Grant, GrantedApps};
use nsl_domain::ids::{Scope, Source, UserId};
use nsl_domain::report::{Document, Report};
use nsl_domain::time::{HOUR_MS, TimestampMs};
use nsl_test_support::fixtures::{self, NOW_MS, grant, id, secret};
use nsl_test_support::{TestEnvironment, events};
use serde_json::{Value, json};

use crate::handler::Session;
use crate::settings::Settings;

/// The connection that speaks, as API Gateway names one.
const SPEAKER: &str = "UIcZQdQsoAMCLTw=";

/// Whose tokens are believed, and whom they must be for.
const TOKEN_SECRET: &str = "thirty-two bytes and a few beyond";
const AUDIENCE: &str = "nsl";

/// What the authorizer attaches to those who proved nothing.
const PROGRAM: events::Attached<'static> = &[("role", "program"), ("sourceIp", "203.0.113.7")];
const PAGE: events::Attached<'static> = &[("role", "page"), ("sourceIp", "203.0.113.7")];
const FOREIGN_PAGE: events::Attached<'static> = &[("role", "foreignpage"), ("sourceIp", "203.0.113.7")];

/// One test's service with the application `shop`, which has the `legacy` flag.
struct World {
    env: TestEnvironment,
}

impl World {
    async fn start() -> Self {
        Self { env: TestEnvironment::with_app(&app("shop")).await }
    }

    /// An instance of the function that has seen no event.
    fn instance(&self) -> Session {
        let settings = Settings::read(|name| self.env.variable(name));
        let trusted = TrustedKeys::new(TOKEN_SECRET, "", AUDIENCE).unwrap();
        Session::new(&self.env.clients, &settings.unwrap(), trusted)
    }

    /// One that [`SPEAKER`] has connected to.
    async fn connected(&self, attached: events::Attached<'_>) -> Session {
        let session = self.instance();
        connect(&session, &[], attached).await;
        self.env.take_calls();
        session
    }

    /// One that [`SPEAKER`] has connected to, and proved the key of `shop` in band.
    async fn authorised(&self) -> Session {
        let session = self.connected(PROGRAM).await;
        hear(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await;
        assert_eq!(self.env.frames(SPEAKER)[0]["type"], "auth_success");
        self.env.take_calls();
        session
    }

    /// Stores a report of `shop`, stamped `offset_ms` after the present.
    async fn store(&self, offset_ms: i64, document: &str) {
        let report = Report {
            app: id("shop"),
            source: Source::new("web-1").unwrap(),
            timestamp: TimestampMs::clamped(NOW_MS + offset_ms),
            document: Document::accept(document).unwrap(),
        };
        self.env.reports().store(&report, &app("shop"), 48 * HOUR_MS).await.unwrap();
        self.env.take_calls();
    }

    /// Notes a report of `shop` as the last of its source, as the rollup function does.
    async fn note_last(&self, offset_ms: i64, document: &str) {
        let report = Report {
            app: id("shop"),
            source: Source::new("web-1").unwrap(),
            timestamp: TimestampMs::clamped(NOW_MS + offset_ms),
            document: Document::accept(document).unwrap(),
        };
        self.env.rollups().put_last_report(&report).await.unwrap();
        self.env.take_calls();
    }

    /// Gives an application `count` publishers, and a few rows of publishers whose age has passed.
    async fn fill(&self, app: &str, count: u32) {
        for (prefix, expires_at, rows) in [("a", "1", 10), ("b", "9999999999", count)] {
            for index in 0..rows {
                let (pk, sk) = (format!("app#{app}"), format!("p#{prefix}{index}="));
                let row = json!({"pk": {"S": pk}, "sk": {"S": sk}, "expiresAt": {"N": expires_at}});
                self.env.put("ConnectionsTable", row).await;
            }
        }
        self.env.take_calls();
    }

    /// The dialects in which the speaker watches applications, by the sort keys of their rows.
    async fn watched(&self) -> Vec<(String, String)> {
        let rows = self.env.rows("ConnectionsTable").await.into_iter();
        let mut watched: Vec<_> = rows
            .filter(|row| row["sk"]["S"] == format!("s#{SPEAKER}"))
            .map(|row| (text(&row["pk"]["S"]), text(&row["dialect"]["S"])))
            .collect();
        watched.sort();
        watched
    }
}

async fn connect(session: &Session, headers: &[(&str, &str)], attached: events::Attached<'_>) -> i64 {
    let event = events::connect(SPEAKER, headers, attached, NOW_MS);
    session.handle(serde_json::from_value(event).unwrap()).await.unwrap().status_code
}

/// Lets the function hear `frame` on `route` and tells the result's body.
async fn hear(session: &Session, route: &str, frame: &str, attached: events::Attached<'_>) -> Option<Value> {
    hear_at(session, route, frame, attached, NOW_MS).await
}

async fn hear_at(
    session: &Session,
    route: &str,
    frame: &str,
    attached: events::Attached<'_>,
    at_ms: i64,
) -> Option<Value> {
    let event = events::message(SPEAKER, route, frame, attached, at_ms);
    let response = session.handle(serde_json::from_value(event).unwrap()).await.unwrap();
    assert_eq!(response.status_code, 200);
    let result = serde_json::to_value(&response).unwrap();
    let body = result["body"].as_str()?;
    assert!(body.len() <= 30 * 1024, "{} bytes", body.len());
    Some(serde_json::from_str(body).unwrap())
}

/// The body of the answer to a `subscribe` of `shop`, whose type is `subscribed`.
async fn subscribe(session: &Session, attached: events::Attached<'_>) -> Value {
    let body = hear(session, "subscribe", &watch("shop"), attached).await.unwrap();
    assert_eq!(body["type"], "subscribed", "{body}");
    body
}

fn auth_by_key(app: &str, key: &str) -> String {
    json!({"type": "auth", "id": 7, "data": {"appId": app, "apiKey": secret(key)}}).to_string()
}

fn auth_by_user(app: &str, user: &str) -> String {
    json!({"type": "auth", "data": {"appId": app, "userId": user}}).to_string()
}

fn watch(app: &str) -> String {
    json!({"type": "subscribe", "id": "s1", "data": {"appId": app}}).to_string()
}

fn unwatch(app: &str) -> String {
    json!({"type": "unsubscribe", "id": "u1", "data": {"appId": app}}).to_string()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn app(name: &str) -> App {
    App { legacy: name == "shop", ..fixtures::app(name) }
}

/// What the key of `app` proves, as the authorizer attaches it.
fn granted(app: &str, scope: Scope) -> String {
    grant(app, scope).to_text()
}
