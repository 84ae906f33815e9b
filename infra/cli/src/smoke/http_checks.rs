//! The checks over HTTP: docs/PROTOCOL.md, "HTTP".

use super::connection_checks::{LATE_SERIES, LATE_VALUE, SERIES, SOURCE, Stamps, VALUES, document};
use super::probe::{PROMPT, Probe, excerpt};
use super::report::{Failure, Passed};
use super::temporary_app::TemporaryApp;
use crate::commands::status::Health;
use nsl_auth::api_key;
use nsl_client::http::{Answer, Method};
use nsl_domain::time::{MINUTE_MS, TimestampMs};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};

/// The parameter with the allowed origins, separated by commas, and its default.
const ALLOWED_ORIGINS: &str = "AllowedOrigins";
const DEFAULT_ORIGIN: &str = "http://localhost:2798";

/// An origin that no template allows.
const FOREIGN_ORIGIN: &str = "https://foreign.example";

#[derive(Debug, Deserialize)]
struct Latest {
    reports: Vec<LastReport>,
}

#[derive(Debug, Deserialize)]
struct LastReport {
    source: String,
    metrics: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct History {
    series: BTreeMap<String, Columns>,
}

#[derive(Debug, Default, Deserialize)]
struct Columns {
    count: Vec<Option<f64>>,
    sum: Vec<Option<f64>>,
}

/// Samples of a series and their sum. Small whole numbers are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Totals {
    count: f64,
    sum: f64,
}

impl Columns {
    fn totals(&self) -> Totals {
        let total = |values: &[Option<f64>]| values.iter().flatten().sum();
        Totals { count: total(&self.count), sum: total(&self.sum) }
    }
}

impl Display for Totals {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "count {}, sum {}", self.count, self.sum)
    }
}

pub(crate) async fn health(probe: &Probe<'_>) -> Passed<()> {
    const EXPECTED: &str = "200 with status ok";
    let health = probe.eventually("health", PROMPT, || async {
        let answer = probe.get("/health", None).await.map_err(Failure::of(EXPECTED))?;
        let health: Health = read(EXPECTED, &answer)?;
        if health.status == "ok" { Ok(health) } else { Err(Failure::new(EXPECTED, excerpt(&answer))) }
    });
    let health = health.await?;
    Ok(((), format!("{} responds, version {}", probe.http_address, health.version)))
}

pub(crate) async fn dashboard(probe: &Probe<'_>) -> Passed<()> {
    const EXPECTED: &str = "200 with an HTML page";
    let answer = probe.get("/", None).await.map_err(Failure::of(EXPECTED))?;
    if answer.status != 200 || !answer.header("content-type").starts_with("text/html") {
        return Err(Failure::new(EXPECTED, excerpt(&answer)));
    }
    let websocket = probe.site.ws.as_str();
    if !answer.body.contains(websocket) {
        return Err(Failure::new(format!("a page that connects to {websocket}"), "one with another address"));
    }
    Ok(((), format!("a page of {} KB that connects to {websocket}", answer.body.len() / 1_024)))
}

pub(crate) async fn cors(probe: &Probe<'_>) -> Passed<()> {
    let origins = probe.site.parameters.get(ALLOWED_ORIGINS).map_or(DEFAULT_ORIGIN, String::as_str);
    let origin = origins.split(',').next().unwrap_or(DEFAULT_ORIGIN).trim();
    let expected = format!("a preflight from {origin} (parameter {ALLOWED_ORIGINS}) to be allowed");
    let answer = preflight(probe, origin, &expected).await?;
    let allowed = answer.header("access-control-allow-headers").to_lowercase();
    let is_allowed = answer.header("access-control-allow-origin") == origin;
    if !is_allowed || !(allowed.contains("authorization") || allowed == "*") {
        let got = format!(
            "{} with access-control-allow-origin {:?} and access-control-allow-headers {allowed:?}",
            answer.status,
            answer.header("access-control-allow-origin"),
        );
        return Err(Failure::new(expected, got));
    }
    let foreign = preflight(probe, FOREIGN_ORIGIN, "a preflight to be answered").await?;
    match foreign.header("access-control-allow-origin") {
        "" => Ok(((), format!("{origin} is allowed, {FOREIGN_ORIGIN} is not"))),
        other => Err(Failure::new(
            format!("no permission for {FOREIGN_ORIGIN}"),
            format!("permission for {other}"),
        )),
    }
}

async fn preflight(probe: &Probe<'_>, origin: &str, expected: &str) -> Result<Answer, Failure> {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization"),
    ];
    probe.call(Method::OPTIONS, "/apps/any/metrics", &headers).await.map_err(Failure::of(expected))
}

pub(crate) async fn wrong_key(probe: &Probe<'_>, app: &TemporaryApp) -> Passed<()> {
    const EXPECTED: &str = "403 for a wrong key";
    let wrong = api_key::generate().map_err(Failure::of(EXPECTED))?;
    let answer = probe.get(&latest_path(app), Some(&wrong)).await.map_err(Failure::of(EXPECTED))?;
    match answer.status {
        403 => Ok(((), "403 for a wrong key".to_owned())),
        _ => Err(Failure::new(EXPECTED, excerpt(&answer))),
    }
}

/// The last report is the newest one that was published.
pub(crate) async fn latest(probe: &Probe<'_>, app: &TemporaryApp) -> Passed<()> {
    let [newest, ..] = VALUES.map(document);
    let wanted = format!("{newest} as the last report of {SOURCE}");
    let found = probe.eventually("latest", PROMPT, || async {
        let latest: Latest = fetch(probe, &latest_path(app), app, &wanted).await?;
        match latest.reports.iter().find(|last| last.source == SOURCE) {
            Some(last) if last.metrics == newest => Ok(()),
            Some(last) => Err(Failure::new(&wanted, last.metrics.to_string())),
            None => Err(Failure::new(&wanted, "no report of it")),
        }
    });
    found.await?;
    Ok(((), format!("the last report of {SOURCE}")))
}

/// The minutes around now count each report of now once.
pub(crate) async fn history(probe: &Probe<'_>, app: &TemporaryApp, stamps: Stamps) -> Passed<()> {
    let (from, to) = (stamps.now.plus_ms(-2 * MINUTE_MS), stamps.now.plus_ms(2 * MINUTE_MS));
    let path = history_path(app, SERIES, from, to);
    let expected = Totals { count: VALUES.len() as f64, sum: VALUES.iter().sum::<i64>() as f64 };
    probe.eventually("history", PROMPT, || counted(probe, app, &path, SERIES, expected)).await?;
    Ok(((), format!("{SERIES}: {expected}")))
}

/// The minute of the late report, which is read from no raw reports any more, has it.
pub(crate) async fn rollups(probe: &Probe<'_>, app: &TemporaryApp, stamps: Stamps) -> Passed<()> {
    let minute = stamps.late.aligned_to(MINUTE_MS);
    let path = history_path(app, LATE_SERIES, minute, minute.plus_ms(MINUTE_MS));
    let expected = Totals { count: 1.0, sum: LATE_VALUE as f64 };
    let wait = probe.rollup_wait;
    probe.eventually("rollups", wait, || counted(probe, app, &path, LATE_SERIES, expected)).await?;
    Ok(((), format!("the minute of {minute} is rolled up")))
}

async fn counted(
    probe: &Probe<'_>,
    app: &TemporaryApp,
    path: &str,
    series: &str,
    expected: Totals,
) -> Result<(), Failure> {
    let wanted = format!("{series}: {expected}");
    let history: History = fetch(probe, path, app, &wanted).await?;
    let got = history.series.get(series).map(Columns::totals).unwrap_or_default();
    if got == expected { Ok(()) } else { Err(Failure::new(wanted, got.to_string())) }
}

fn latest_path(app: &TemporaryApp) -> String {
    format!("/apps/{}/metrics/latest", app.id())
}

fn history_path(app: &TemporaryApp, series: &str, from: TimestampMs, to: TimestampMs) -> String {
    let (from, to) = (from.ms(), to.ms());
    format!("/apps/{}/metrics?series={series}&agg=count,sum&step=60&from={from}&to={to}", app.id())
}

async fn fetch<T: DeserializeOwned>(
    probe: &Probe<'_>,
    path: &str,
    app: &TemporaryApp,
    expected: &str,
) -> Result<T, Failure> {
    read(expected, &probe.get(path, Some(&app.key)).await.map_err(Failure::of(expected))?)
}

/// The JSON of a successful response.
fn read<T: DeserializeOwned>(expected: &str, answer: &Answer) -> Result<T, Failure> {
    let unexpected = || Failure::new(expected, excerpt(answer));
    if answer.status != 200 {
        return Err(unexpected());
    }
    serde_json::from_str(&answer.body).map_err(|_| unexpected())
}
