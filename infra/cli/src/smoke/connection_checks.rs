//! The checks over WebSocket connections: docs/PROTOCOL.md.

use super::probe::{PROMPT, Probe};
use super::report::{Failure, Passed};
use super::temporary_app::TemporaryApp;
use crate::connection::Connection;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nsl_auth::api_key;
use nsl_client::credential::Credential;
use nsl_client::frame::{Ack, Auth, ClientFrame, Rejection, Report, Reports, ServiceFrame, Subscription};
use nsl_client::socket::SocketError;
use nsl_domain::time::{MINUTE_MS, TimestampMs};
use serde::Deserialize;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::time::timeout;

/// The source of all reports.
pub(crate) const SOURCE: &str = "smoke";

/// The series of the reports of now, and that of the late one.
pub(crate) const SERIES: &str = "smoke.value";
pub(crate) const LATE_SERIES: &str = "smoke.late";

/// The values of the reports of now: the first alone, the others in a batch.
pub(crate) const VALUES: [i64; 3] = [1, 2, 3];

/// The value of the late report, and its age: history reads at most five minutes of raw reports.
pub(crate) const LATE_VALUE: i64 = 4;
const LATE_MS: i64 = 15 * MINUTE_MS;

/// What a viewer needs of a report.
#[derive(Debug, Deserialize)]
struct LiveReport {
    id: String,
    metrics: Value,
}

/// When the reports are stamped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamps {
    pub(crate) now: TimestampMs,
    pub(crate) late: TimestampMs,
}

impl Stamps {
    pub(crate) fn at(now: TimestampMs) -> Self {
        Self { now, late: now.plus_ms(-LATE_MS) }
    }
}

/// The metrics document of one of [`VALUES`].
pub(crate) fn document(value: i64) -> Value {
    json!({"smoke": {"value": value}})
}

fn late_document() -> Value {
    json!({"smoke": {"late": LATE_VALUE}})
}

pub(crate) async fn wrong_key(probe: &Probe<'_>) -> Passed<()> {
    const EXPECTED: &str = "the handshake to be answered with 401";
    let wrong = api_key::generate().map_err(Failure::of(EXPECTED))?;
    match probe.connect(&[("x-api-key", &wrong)]).await {
        Err(SocketError::Status(401)) => Ok(((), "401 at the handshake".to_owned())),
        Err(error) => Err(Failure::of(EXPECTED)(error)),
        Ok(connection) => {
            connection.close().await;
            Err(Failure::new(EXPECTED, "a connection"))
        }
    }
}

pub(crate) async fn subprotocol(probe: &Probe<'_>, app: &TemporaryApp) -> Passed<()> {
    let key = BASE64_URL_SAFE_NO_PAD.encode(&app.view_key);
    let opened = probe.connect(&[("sec-websocket-protocol", &format!("nsl.v1, key.{key}"))]).await;
    let connection =
        opened.map_err(Failure::of("a connection whose handshake returns the subprotocol nsl.v1"))?;
    connection.close().await;
    Ok(((), "nsl.v1 with a key is accepted and returned".to_owned()))
}

/// A viewer that proved itself at the handshake, and has subscribed.
pub(crate) async fn viewer(probe: &Probe<'_>, app: &TemporaryApp) -> Passed<Connection> {
    const EXPECTED: &str = "a subscription by a key in the handshake";
    let opened = probe.connect(&[("x-api-key", &app.view_key)]).await;
    let mut viewer = opened.map_err(Failure::of(&format!("a connection to {}", probe.ws)))?;
    let data = Subscription { app_id: app.id(), since: None };
    send(probe, &mut viewer, &ClientFrame::Subscribe { data }, EXPECTED).await?;
    let subscribed = |frame: &ServiceFrame<'_>| matches!(frame, ServiceFrame::Subscribed(_)).then_some(());
    reply(&mut viewer, EXPECTED, subscribed).await?;
    Ok((viewer, format!("{} accepts a key in the handshake, and subscribes", probe.ws)))
}

/// A publisher that proved itself with its first frame.
pub(crate) async fn publisher(probe: &Probe<'_>, app: &TemporaryApp) -> Passed<Connection> {
    let expected = format!("a connection to {} that authenticates", probe.ws);
    let publisher = authenticated(probe, app, &app.key).await.map_err(Failure::of(&expected))?;
    match publisher {
        Ok(publisher) => Ok((publisher, "accepts a key in an auth frame".to_owned())),
        Err(rejection) => Err(Failure::new(expected, rejection.to_string())),
    }
}

/// A connection that sent `key` in an `auth` frame, or why the service rejected it.
async fn authenticated(
    probe: &Probe<'_>,
    app: &TemporaryApp,
    key: &str,
) -> anyhow::Result<Result<Connection, Rejection>> {
    let mut connection = probe.connect(&[]).await?;
    let credential = Credential::Key(key.to_owned());
    let frame = ClientFrame::Auth { data: Auth { app_id: app.id(), credential: &credential } };
    probe.send(&mut connection, serde_json::to_string(&frame)?).await?;
    loop {
        match ServiceFrame::parse(&connection.receive().await?) {
            ServiceFrame::AuthSuccess => return Ok(Ok(connection)),
            ServiceFrame::Error(rejection) => {
                connection.close().await;
                return Ok(Err(rejection));
            }
            ServiceFrame::GatewayError(message) => anyhow::bail!("API Gateway reported an error: {message}"),
            _ => {}
        }
    }
}

pub(crate) async fn legacy(probe: &Probe<'_>, app: &TemporaryApp) -> Passed<()> {
    const EXPECTED: &str = "auth_success for the library's auth of an app with the legacy flag";
    let mut library = probe.connect(&[]).await.map_err(Failure::of(EXPECTED))?;
    let auth = json!({"type": "auth", "data": {"userId": app.app.owner.as_str(), "appId": app.id()}});
    probe.send(&mut library, auth.to_string()).await.map_err(Failure::of(EXPECTED))?;
    let accepted = |frame: &ServiceFrame<'_>| matches!(frame, ServiceFrame::AuthSuccess).then_some(());
    reply(&mut library, EXPECTED, accepted).await?;
    library.close().await;
    Ok(((), "accepted without a key, because the app has the legacy flag".to_owned()))
}

/// Publishes the late report first, so that its rollup is computed while the other checks run.
pub(crate) async fn publish(
    probe: &Probe<'_>,
    publisher: &mut Connection,
    app: &TemporaryApp,
    stamps: Stamps,
) -> Passed<()> {
    let [first, second, third] = VALUES.map(document);
    let frames = [
        ("late", vec![(late_document(), stamps.late)]),
        ("one", vec![(first, stamps.now)]),
        ("batch", vec![(second, stamps.now.plus_ms(-2)), (third, stamps.now.plus_ms(-1))]),
    ];
    for (id, reports) in frames {
        let expected = format!("an acknowledgement of {} reports", reports.len());
        accepted(probe, publisher, app, id, &reports, &expected).await?;
    }
    Ok(((), "a report, a batch of two and a late report are acknowledged".to_owned()))
}

pub(crate) async fn duplicate(
    probe: &Probe<'_>,
    publisher: &mut Connection,
    app: &TemporaryApp,
    stamps: Stamps,
) -> Passed<()> {
    let [first, ..] = VALUES.map(document);
    let expected = "an acknowledgement of the same report";
    accepted(probe, publisher, app, "duplicate", &[(first, stamps.now)], expected).await?;
    Ok(((), "the same report again is acknowledged".to_owned()))
}

async fn accepted(
    probe: &Probe<'_>,
    publisher: &mut Connection,
    app: &TemporaryApp,
    id: &str,
    reports: &[(Value, TimestampMs)],
    expected: &str,
) -> Result<(), Failure> {
    let metrics = reports.iter().map(|(document, _)| to_raw_value(document)).collect::<Result<Vec<_>, _>>();
    let metrics = metrics.map_err(Failure::of(expected))?;
    let stamped = metrics.iter().zip(reports);
    let mut data: Vec<Report<'_>> = stamped
        .map(|(metrics, (_, timestamp))| Report {
            app_id: app.id(),
            metrics,
            timestamp: *timestamp,
            source: SOURCE,
        })
        .collect();
    let count = data.len() as u64;
    let data = if count == 1 { data.pop().map(Reports::One) } else { None }.unwrap_or(Reports::Batch(data));
    send(probe, publisher, &ClientFrame::Metrics { id: Some(id.to_owned()), data }, expected).await?;
    let ack = acknowledged(publisher, id, expected).await?;
    match ack.rejected.first() {
        None if ack.accepted == count => Ok(()),
        None => Err(Failure::new(expected, format!("{} accepted", ack.accepted))),
        Some(rejection) => Err(Failure::new(expected, rejection.to_string())),
    }
}

pub(crate) async fn malformed(
    probe: &Probe<'_>,
    publisher: &mut Connection,
    app: &TemporaryApp,
) -> Passed<()> {
    const EXPECTED: &str = "the rejection missing_field of a report without metrics";
    let frame = json!({"type": "metrics", "id": "malformed", "data": {"appId": app.id(), "source": SOURCE}});
    probe.send(publisher, frame.to_string()).await.map_err(Failure::of(EXPECTED))?;
    let ack = acknowledged(publisher, "malformed", EXPECTED).await?;
    match ack.rejected.first() {
        Some(rejection) if rejection.code == "missing_field" => Ok(((), format!("rejected: {rejection}"))),
        Some(rejection) => Err(Failure::new(EXPECTED, rejection.to_string())),
        None => Err(Failure::new(EXPECTED, format!("{} accepted", ack.accepted))),
    }
}

async fn acknowledged(publisher: &mut Connection, id: &str, expected: &str) -> Result<Ack, Failure> {
    let of_frame = |frame: &ServiceFrame<'_>| match frame {
        ServiceFrame::Ack(ack) if ack.id == id => Some(ack.clone()),
        _ => None,
    };
    reply(publisher, expected, of_frame).await
}

/// Each report of now and the late one under one id, and nothing else until the reply to a later `ping`. The service
/// may send a report again with its id, which a viewer drops.
pub(crate) async fn delivery(probe: &Probe<'_>, viewer: &mut Connection) -> Passed<()> {
    let expected = format!("the {} reports under one id each", published().len());
    let mut received = BTreeMap::new();
    let awaited = timeout(PROMPT, async {
        while received.len() < published().len() {
            add(&mut received, reply(viewer, &expected, live_report).await?, &expected)?;
        }
        Ok(())
    });
    if let Ok(outcome) = awaited.await {
        outcome?;
    } else {
        let got = format!("{} of them within {} s", received.len(), PROMPT.as_secs());
        return Err(Failure::new(expected, got));
    }
    send(probe, viewer, &ClientFrame::Ping, &expected).await?;
    let next = |frame: &ServiceFrame<'_>| match frame {
        ServiceFrame::Pong => Some(None),
        frame => live_report(frame).map(Some),
    };
    while let Some(report) = reply(viewer, &expected, next).await? {
        add(&mut received, report, &expected)?;
    }
    Ok(((), format!("{} reports under one id each", received.len())))
}

/// The documents of all reports.
fn published() -> Vec<Value> {
    VALUES.into_iter().map(document).chain([late_document()]).collect()
}

/// Adds a live report, which must be a published one under the id that it had before.
fn add(received: &mut BTreeMap<String, String>, report: LiveReport, expected: &str) -> Result<(), Failure> {
    if !published().contains(&report.metrics) {
        return Err(Failure::new(expected, format!("{}, which was not published", report.metrics)));
    }
    match received.insert(report.metrics.to_string(), report.id.clone()) {
        Some(id) if id != report.id => {
            Err(Failure::new(expected, format!("{} under {id} and {}", report.metrics, report.id)))
        }
        _ => Ok(()),
    }
}

fn live_report(frame: &ServiceFrame<'_>) -> Option<LiveReport> {
    let ServiceFrame::Metrics(payload) = frame else { return None };
    let unreadable = || LiveReport { id: String::new(), metrics: Value::from(payload.get()) };
    Some(serde_json::from_str(payload.get()).unwrap_or_else(|_| unreadable()))
}

/// A key that was accepted is rejected once it is removed.
pub(crate) async fn revoked_key(probe: &Probe<'_>, app: &TemporaryApp) -> Passed<()> {
    const EXPECTED: &str = "a key to be accepted, and unauthorized once it is removed";
    let attempt =
        || async { authenticated(probe, app, &app.revocable_key).await.map_err(Failure::of(EXPECTED)) };
    match attempt().await? {
        Ok(connection) => connection.close().await,
        Err(rejection) => return Err(Failure::new(EXPECTED, format!("before: {rejection}"))),
    }
    app.revoke(probe.store).await.map_err(Failure::of(EXPECTED))?;
    match attempt().await? {
        Err(rejection) if rejection.code == "unauthorized" => Ok(((), format!("rejected: {rejection}"))),
        Err(rejection) => Err(Failure::new(EXPECTED, rejection.to_string())),
        Ok(connection) => {
            connection.close().await;
            Err(Failure::new(EXPECTED, "it is still accepted"))
        }
    }
}

/// The app's connections are closed, and until then the viewer received no other report.
pub(crate) async fn deactivated(
    probe: &Probe<'_>,
    app: &TemporaryApp,
    connections: Vec<Connection>,
) -> Passed<()> {
    let expected = format!("{} connections to be closed", connections.len());
    let count = connections.len();
    let disconnected = app.switch_off(probe).await.map_err(Failure::of(&expected))?;
    if let Some(error) = disconnected.error() {
        return Err(Failure::new(expected, error));
    }
    for mut connection in connections {
        match timeout(PROMPT, until_closed(&mut connection)).await {
            Ok(None) => {}
            Ok(Some(more)) => return Err(Failure::new("no report but those published", more)),
            Err(_) => {
                return Err(Failure::new(expected, format!("one is open after {} s", PROMPT.as_secs())));
            }
        }
    }
    Ok(((), format!("{count} connections were closed")))
}

/// Waits for the end of a connection; a report that was not published and comes before.
async fn until_closed(connection: &mut Connection) -> Option<String> {
    while let Ok(text) = connection.receive().await {
        let report = live_report(&ServiceFrame::parse(&text));
        if let Some(report) = report.filter(|report| !published().contains(&report.metrics)) {
            return Some(report.metrics.to_string());
        }
    }
    None
}

async fn send(
    probe: &Probe<'_>,
    connection: &mut Connection,
    frame: &ClientFrame<'_>,
    expected: &str,
) -> Result<(), Failure> {
    let text = serde_json::to_string(frame).map_err(Failure::of(expected))?;
    probe.send(connection, text).await.map_err(Failure::of(expected))
}

/// What `wanted` finds in the next frame that has it. A rejection is a failure.
async fn reply<T>(
    connection: &mut Connection,
    expected: &str,
    wanted: impl Fn(&ServiceFrame<'_>) -> Option<T>,
) -> Result<T, Failure> {
    loop {
        let text = connection.receive().await.map_err(Failure::of(expected))?;
        let frame = ServiceFrame::parse(&text);
        if let Some(found) = wanted(&frame) {
            return Ok(found);
        }
        match frame {
            ServiceFrame::Error(rejection) => return Err(Failure::new(expected, rejection.to_string())),
            ServiceFrame::GatewayError(message) => {
                return Err(Failure::new(expected, format!("API Gateway's error: {message}")));
            }
            _ => {}
        }
    }
}
