//! `nsl status`: the health of the service and its tables, and of an application its sources and how far rollups have
//! advanced.
//!
//! Naming an application is optional. With access to the tables no credential is needed, and they are shown even if the
//! service does not respond; the command fails then.

use crate::app_diagnostics::{self, AppDiagnostics};
use crate::app_edit::find;
use crate::args::{Place, Status};
use crate::clock_skew;
use crate::settings::Settings;
use crate::store::{self, Store};
use crate::target::{credential, http_address, missing_credential, selected_app, site};
use anyhow::{Context as _, bail};
use nsl_aws::table_probe::TableStatus;
use nsl_client::clock;
use nsl_client::console::Console;
use nsl_client::credential::Credential;
use nsl_client::frame::epoch_ms;
use nsl_client::http::HttpClient;
use nsl_domain::ids::Source;
use nsl_domain::time::TimestampMs;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for a response: API Gateway allows a function 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(35);

/// Response of `GET /health`.
#[derive(Debug, Deserialize)]
struct Health {
    status: String,
    version: String,
}

/// Response of `GET /apps/{appId}/metrics/latest`: the last report of each source.
#[derive(Debug, Deserialize)]
struct Latest {
    reports: Vec<LastReport>,
}

#[derive(Debug, Deserialize)]
struct LastReport {
    source: String,
    timestamp: Value,
}

/// Everything that the command shows.
struct Overview {
    address: String,
    health: anyhow::Result<Health>,
    app: Option<AppOverview>,
    tables: Option<Vec<TableStatus>>,
}

struct AppOverview {
    id: String,
    latest: Latest,
    diagnostics: Option<AppDiagnostics>,
}

pub(crate) async fn run(
    args: Status,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let site = site(place, settings)?;
    let address = http_address(place, site.as_ref())?;
    let http = HttpClient::new(&address, TIMEOUT)?;
    let health = get(&http, "/health", None).await;
    let store = match &site {
        Some(site) => Some(store::open_site(site, place, None).await?),
        None => None,
    };
    let live = store.as_ref().and_then(|store| store.live.as_ref());
    let tables = match live {
        Some(live) => Some(app_diagnostics::tables(live).await?),
        None => None,
    };
    let app = match selected_app(args.app.as_deref(), site.as_ref())? {
        // Without the service and the tables there is no source of information.
        Some(id) if health.is_ok() || live.is_some() => {
            let credential = credential(&id, place, site.as_ref(), settings)?.filter(|_| health.is_ok());
            Some(app_overview(id, credential, &http, store.as_ref()).await?)
        }
        _ => None,
    };
    show(Overview { address, health, app, tables }, console)
}

/// Reads the application's state from the service, or without a credential from the tables.
async fn app_overview(
    id: String,
    credential: Option<Credential>,
    http: &HttpClient,
    store: Option<&Store>,
) -> anyhow::Result<AppOverview> {
    let now = clock::now();
    let stored = match store.and_then(|store| Some((store, store.live.as_ref()?))) {
        Some((store, live)) => Some((live, find(&store.apps, &id).await?)),
        None => None,
    };
    let latest = match (&credential, &stored) {
        (Some(_), _) => get(http, &format!("/apps/{id}/metrics/latest"), credential.as_ref()).await?,
        (None, Some((live, app))) => Latest::of(app_diagnostics::last_reports(live, app, now).await?),
        (None, None) => bail!(missing_credential(&id)),
    };
    let diagnostics = match &stored {
        Some((live, app)) => Some(app_diagnostics::read(live, app, now).await?),
        None => None,
    };
    Ok(AppOverview { id, latest, diagnostics })
}

async fn get<T: DeserializeOwned>(
    http: &HttpClient,
    path: &str,
    credential: Option<&Credential>,
) -> anyhow::Result<T> {
    let body = http.get(path, &[], "application/json", credential).await?;
    serde_json::from_str(&body).with_context(|| format!("cannot parse the response of {path}"))
}

fn show(overview: Overview, console: &Console) -> anyhow::Result<()> {
    let now_ms = clock::now().ms();
    if console.is_json() {
        console.document(&overview.to_json(now_ms))?;
    } else {
        overview.lines(now_ms).iter().try_for_each(|line| console.line(line))?;
        if overview.app.is_none() && overview.health.is_ok() {
            console.note("name an application to see its sources and how far its rollups have advanced");
        }
    }
    overview.health.map(drop)
}

impl Overview {
    fn to_json(&self, now_ms: i64) -> Value {
        let health = self.health.as_ref().ok();
        let app = self.app.as_ref();
        let diagnostics = app.and_then(|app| app.diagnostics.as_ref());
        let sources =
            |app: &AppOverview| app.latest.reports.iter().map(|last| last.to_json(now_ms)).collect();
        let tables = self.tables.as_ref().map(|tables| tables.iter().map(table_json).collect::<Vec<_>>());
        let iso = |time: Option<TimestampMs>| time.map(|time| time.to_string());
        json!({"address": self.address, "status": health.map(|health| &health.status),
            "version": health.map(|health| &health.version), "tables": tables,
            "appId": app.map(|app| &app.id), "sources": app.map(sources).unwrap_or(Value::Null),
            "newestReport": iso(app.and_then(|app| app.latest.newest())),
            "rolledUpTo": iso(diagnostics.and_then(|diagnostics| diagnostics.rolled_up_to)),
            "rollupsBehindMs": app.and_then(AppOverview::behind_ms),
            "wrongClocks": diagnostics.map(|diagnostics| clock_skew::documents(&diagnostics.wrong_clocks)),
            "limitedUntil": iso(diagnostics.and_then(|diagnostics| diagnostics.limited_until))})
    }

    fn lines(&self, now_ms: i64) -> Vec<String> {
        let health = self.health.as_ref().map_or_else(
            |_| "does not respond".to_owned(),
            |health| format!("{} (version {})", health.status, health.version),
        );
        let mut lines = vec![format!("service  {} {health}", self.address)];
        lines.extend(self.app.iter().flat_map(|app| app.lines(now_ms)));
        let state = |table: &TableStatus| {
            let status = table.status.to_lowercase();
            format!("table    {} {status}, {} items at DynamoDB's last count", table.name, table.items)
        };
        lines.extend(self.tables.iter().flatten().map(state));
        lines
    }
}

impl AppOverview {
    fn lines(&self, now_ms: i64) -> Vec<String> {
        let sources = match self.latest.reports.len() {
            0 => "no recent reports".to_owned(),
            1 => "one source".to_owned(),
            count => format!("{count} sources"),
        };
        let mut lines = vec![format!("app      {}: {sources}", self.id)];
        for last in &self.latest.reports {
            let age = last.age_ms(now_ms).map_or_else(|| "at an unknown time".to_owned(), ago);
            lines.push(format!("         {}, {age}", last.source));
        }
        let Some(diagnostics) = &self.diagnostics else { return lines };
        let limited = |until| format!("         reports are rejected until {until}, the rate was exceeded");
        lines.extend(diagnostics.limited_until.map(limited));
        let clocks = diagnostics.wrong_clocks.iter();
        lines.extend(clocks.map(|clock| format!("clock    {}", clock_skew::line(clock))));
        lines.push(format!("rollups  {}", self.rollup_progress()));
        lines
    }

    /// How far the newest rollup is behind the newest report. Up to two minutes are normal, because the stream collects a
    /// batch for a minute.
    fn rollup_progress(&self) -> String {
        let rolled_up_to = self.diagnostics.as_ref().and_then(|diagnostics| diagnostics.rolled_up_to);
        let Some(rolled_up_to) = rolled_up_to else { return "none yet".to_owned() };
        match self.behind_ms() {
            None => format!("up to {rolled_up_to}, no recent report"),
            Some(0) => format!("up to {rolled_up_to}, not behind the newest report"),
            Some(behind_ms) => {
                format!("up to {rolled_up_to}, {} s behind the newest report", behind_ms / 1_000)
            }
        }
    }

    /// Time from the end of the newest rolled-up minute to the newest report.
    fn behind_ms(&self) -> Option<i64> {
        let rolled_up_to = self.diagnostics.as_ref()?.rolled_up_to?;
        Some(self.latest.newest()?.ms_since(rolled_up_to).max(0))
    }
}

impl Latest {
    fn of(last: impl IntoIterator<Item = (Source, TimestampMs)>) -> Self {
        let last = last.into_iter().map(|(source, timestamp)| LastReport {
            source: source.to_string(),
            timestamp: json!(timestamp.to_string()),
        });
        Self { reports: last.collect() }
    }

    fn newest(&self) -> Option<TimestampMs> {
        self.reports.iter().filter_map(|last| epoch_ms(&last.timestamp)).max().map(TimestampMs::clamped)
    }
}

impl LastReport {
    fn age_ms(&self, now_ms: i64) -> Option<i64> {
        epoch_ms(&self.timestamp).map(|ms| now_ms.saturating_sub(ms).max(0))
    }

    fn to_json(&self, now_ms: i64) -> Value {
        json!({"source": self.source, "timestamp": self.timestamp, "ageMs": self.age_ms(now_ms)})
    }
}

fn table_json(table: &TableStatus) -> Value {
    json!({"name": table.name, "status": table.status, "items": table.items})
}

/// An age in the largest unit that makes at least two.
fn ago(age_ms: i64) -> String {
    let seconds = age_ms / 1_000;
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        _ => format!("{} h ago", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_shown_in_a_fitting_unit() {
        let ages = [999, 119_000, 120_000, 7_200_000].map(ago);
        assert_eq!(ages, ["0 s ago", "119 s ago", "2 min ago", "2 h ago"]);
    }

    fn app(reported: Option<&str>, rolled_up_to_ms: Option<i64>) -> AppOverview {
        let last = |iso: &str| LastReport { source: "s".to_owned(), timestamp: json!(iso) };
        let rolled_up_to = rolled_up_to_ms.map(TimestampMs::clamped);
        let diagnostics = AppDiagnostics { rolled_up_to, wrong_clocks: Vec::new(), limited_until: None };
        let latest = Latest { reports: reported.map(last).into_iter().collect() };
        AppOverview { id: "shop".to_owned(), latest, diagnostics: Some(diagnostics) }
    }

    #[test]
    fn rollups_are_behind_by_the_age_of_unrolled_reports() {
        let reported = Some("1970-01-01T00:01:30Z");
        for (reported, rolled_up_to, behind_ms, shown) in [
            (reported, Some(60_000), Some(30_000), "00:01:00.000Z, 30 s behind the newest report"),
            (reported, Some(120_000), Some(0), "00:02:00.000Z, not behind the newest report"),
            (reported, None, None, "none yet"),
            (None, Some(60_000), None, "00:01:00.000Z, no recent report"),
        ] {
            let app = app(reported, rolled_up_to);
            assert_eq!(app.behind_ms(), behind_ms);
            assert!(app.rollup_progress().ends_with(shown), "{}", app.rollup_progress());
        }
    }

    #[test]
    fn report_from_a_fast_clock_has_no_negative_age() {
        let last = LastReport { source: "s".to_owned(), timestamp: json!("2026-01-01T00:00:01Z") };
        assert_eq!(last.age_ms(0), Some(0));
        assert_eq!(last.age_ms(1_767_225_603_500), Some(2_500));
    }
}
