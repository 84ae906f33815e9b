//! The function against the test environment: recorded events in; calls, rows, results and frames out.
//!
//! No test waits: time is that of the events.

mod admission;
mod auth;
mod cost;
mod costliest;
mod ended;
mod faults;
mod floods;
mod handshake;
mod legacy;
mod legacy_cost;
mod library_key;
mod reconnect;
mod replays;
mod watching;

use aws_lambda_events::apigw::ApiGatewayProxyResponse;
use nsl_auth::token::TrustedKeys;
use nsl_domain::app::{App, KeyRecord, Status};
use nsl_domain::grant::{Grant, GrantedApps};
use nsl_domain::ids::{Scope, Source, Subject};
use nsl_domain::legacy::notice::Notice;
use nsl_domain::report::{Document, Report};
use nsl_domain::time::{HOUR_MS, TimestampMs};
use nsl_test_support::fixtures::{self, NOW_MS, grant, id, secret};
use nsl_test_support::{TestEnvironment, events};
use serde_json::{Value, json};

use crate::session::Session;
use crate::settings::Settings;

/// The connection of most tests, with an id like API Gateway's.
const CONNECTION: &str = "UIcZQdQsoAMCLTw=";

/// The secret and the audience of accepted tokens.
const TOKEN_SECRET: &str = "thirty-two bytes and a few beyond";
const AUDIENCE: &str = "nsl";

/// What the authorizer attaches to connections without a grant.
const PROGRAM: events::Attached<'static> = &[("role", "program"), ("sourceIp", "203.0.113.7")];
const PAGE: events::Attached<'static> = &[("role", "page"), ("sourceIp", "203.0.113.7")];
const FOREIGN_PAGE: events::Attached<'static> = &[("role", "foreignpage"), ("sourceIp", "203.0.113.7")];

/// One test's service with the app `shop`, which has the `legacy` flag.
struct World {
    env: TestEnvironment,
}

impl World {
    async fn start() -> Self {
        let world = Self { env: TestEnvironment::with_app(&app("shop")).await };
        world.count("shop").await;
        world
    }

    /// Counts the connections of an app, so that its next handshake need not.
    async fn count(&self, app: &str) {
        let now = TimestampMs::clamped(NOW_MS);
        self.env.publishers().has_connection_room(&id(app), 1, now).await.unwrap();
        self.env.forget_calls();
    }

    /// A cold instance of the function.
    fn instance(&self) -> Session {
        let settings = Settings::read(|name| self.env.variable(name));
        let trusted = TrustedKeys::new(TOKEN_SECRET, "", AUDIENCE).unwrap();
        Session::new(&self.env.clients, &settings.unwrap(), trusted)
    }

    /// An instance that [`CONNECTION`] has connected to.
    async fn connected(&self, attached: events::Attached<'_>) -> Session {
        let session = self.instance();
        connect(&session, &[], attached).await;
        self.env.take_calls();
        session
    }

    /// Replaces the stored app, and its keys.
    async fn replace(&self, app: &App) {
        let key = json!({"Key": {"appId": {"S": app.id.as_str()}}});
        self.env.dynamodb.direct("DeleteItem", "AppsTable", key).await;
        self.env.register(app).await;
    }

    /// Stores a report of `shop` with a timestamp `offset_ms` after now, also as the last of its source, as the rollup
    /// function does.
    async fn store(&self, offset_ms: i64, document: &str) {
        let report = Report {
            app: id("shop"),
            source: Source::new("web-1").unwrap(),
            timestamp: TimestampMs::clamped(NOW_MS + offset_ms),
            document: Document::accept(document).unwrap(),
        };
        self.env.reports().store(&report, &app("shop"), 48 * HOUR_MS).await.unwrap();
        self.env.rollups().put_last_report(&report).await.unwrap();
        self.env.take_calls();
    }

    /// Gives an app `count` publishers, and a few expired rows of others, as a version that counted none of them left them.
    async fn fill(&self, app: &str, count: u32) {
        let key = json!({"pk": {"S": format!("count#{app}")}, "sk": {"S": "connections"}});
        self.env.dynamodb.direct("DeleteItem", "ConnectionsTable", json!({ "Key": key })).await;
        for (prefix, expires_at, rows) in [("a", "1", 10), ("b", "9999999999", count)] {
            for index in 0..rows {
                let (pk, sk) = (format!("app#{app}"), format!("p#{prefix}{index}="));
                let row = json!({"pk": {"S": pk}, "sk": {"S": sk}, "expiresAt": {"N": expires_at}});
                self.env.put("ConnectionsTable", row).await;
            }
        }
        self.env.take_calls();
    }

    /// The rows of connections that are open.
    async fn open_rows(&self) -> Vec<Value> {
        let mut rows = self.env.connection_rows().await;
        rows.retain(|row| row["endedAt"].is_null());
        rows
    }

    /// The partition keys and dialects of the subscriptions of [`CONNECTION`].
    async fn subscriptions(&self) -> Vec<(String, String)> {
        let rows = self.env.connection_rows().await.into_iter();
        let mut subscriptions: Vec<_> = rows
            .filter(|row| row["sk"]["S"] == format!("s#{CONNECTION}"))
            .map(|row| (text(&row["pk"]["S"]), text(&row["dialect"]["S"])))
            .collect();
        subscriptions.sort();
        subscriptions
    }
}

/// A service, and an instance that [`CONNECTION`] has connected to.
async fn connected(attached: events::Attached<'_>) -> (World, Session) {
    let world = World::start().await;
    let session = world.connected(attached).await;
    (world, session)
}

/// A service, and an instance on which [`CONNECTION`] has authenticated with the key of `shop`.
async fn authorised() -> (World, Session) {
    let (world, session) = connected(PROGRAM).await;
    send(&session, "auth", &auth_by_key("shop", "shop"), PROGRAM).await;
    assert_eq!(world.env.frames(CONNECTION)[0]["type"], "auth_success");
    world.env.take_calls();
    (world, session)
}

/// Ends [`CONNECTION`].
async fn disconnect(session: &Session) -> ApiGatewayProxyResponse {
    handle(session, events::disconnect(CONNECTION, PROGRAM, NOW_MS)).await
}

async fn handle(session: &Session, event: Value) -> ApiGatewayProxyResponse {
    session.handle(serde_json::from_value(event).unwrap()).await.unwrap()
}

async fn connect(session: &Session, headers: &[(&str, &str)], attached: events::Attached<'_>) -> i64 {
    let event = events::connect(CONNECTION, headers, attached, NOW_MS);
    handle(session, event).await.status_code
}

/// Sends `frame` on `route` and returns the body of the result.
async fn send(session: &Session, route: &str, frame: &str, attached: events::Attached<'_>) -> Option<Value> {
    send_at(session, route, frame, attached, NOW_MS).await
}

async fn send_at(
    session: &Session,
    route: &str,
    frame: &str,
    attached: events::Attached<'_>,
    at_ms: i64,
) -> Option<Value> {
    body(session, events::message(CONNECTION, route, frame, attached, at_ms)).await
}

/// The body of the result of a frame.
async fn body(session: &Session, message: Value) -> Option<Value> {
    let response = handle(session, message).await;
    assert_eq!(response.status_code, 200);
    let result = serde_json::to_value(&response).unwrap();
    let body = result["body"].as_str()?;
    assert!(body.len() <= 30 * 1024, "{} bytes", body.len());
    Some(serde_json::from_str(body).unwrap())
}

/// The body of the answer to a `subscribe` of `shop`, whose type is `subscribed`.
async fn subscribe(session: &Session, attached: events::Attached<'_>) -> Value {
    let body = send(session, "subscribe", &subscribe_to("shop"), attached).await.unwrap();
    assert_eq!(body["type"], "subscribed", "{body}");
    body
}

fn auth_by_key(app: &str, key: &str) -> String {
    json!({"type": "auth", "id": 7, "data": {"appId": app, "apiKey": secret(key)}}).to_string()
}

fn auth_by_user(app: &str, user: &str) -> String {
    json!({"type": "auth", "data": {"appId": app, "userId": user}}).to_string()
}

fn subscribe_to(app: &str) -> String {
    json!({"type": "subscribe", "id": "s1", "data": {"appId": app}}).to_string()
}

/// The frame by which a program is notified.
fn notice(notice: Notice) -> Value {
    json!({"type": "command", "data": {"type": notice.text()}})
}

fn unsubscribe_from(app: &str) -> String {
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
