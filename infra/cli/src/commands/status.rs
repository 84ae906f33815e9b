//! `nsl status`: the health of the service and its tables, and of an app its sources and how far rollups have
//! advanced.
//!
//! Naming an app is optional. With access to the tables no credential is needed, and they are shown even if the
//! service does not respond; the command fails then.

use crate::app_edit::find;
use crate::args::Status;
use crate::cli::Cli;
use crate::clock_skew;
use crate::store::{self, Live, Store};
use crate::target::{credential, http_address, missing_credential, selected_app, site};
use anyhow::{Context as _, bail};
use nsl_aws::legacy::WrongClock;
use nsl_aws::table_probe::TableStatus;
use nsl_client::clock;
use nsl_client::credential::Credential;
use nsl_client::http::HttpClient;
use nsl_domain::app::App;
use nsl_domain::ids::Source;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, RollupSpan};
use nsl_domain::time::{DAY_MS, MINUTE_MS, TimestampMs};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest wait for a response: API Gateway allows a function 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(35);

/// How far back the newest raw report is read. The rollup function records older ones as the last of their source.
const RECENT_MS: i64 = 10 * MINUTE_MS;

/// Response of `GET /health`.
#[derive(Debug, Deserialize)]
pub(crate) struct Health {
    pub(crate) status: String,
    pub(crate) version: String,
}

/// Response of `GET /apps/{appId}/metrics/latest`.
#[derive(Debug, Deserialize)]
struct Latest {
    reports: Vec<LastReport>,
}

/// The last report of a source.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct LastReport {
    source: Source,
    timestamp: TimestampMs,
    /// Not negative, even if the source's clock is fast.
    #[serde(skip_deserializing)]
    age_ms: i64,
}

/// Everything that the command shows.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Overview {
    address: String,
    /// `None` if the service does not respond.
    status: Option<String>,
    version: Option<String>,
    /// `None` without access to the tables.
    tables: Option<Vec<TableStatus>>,
    /// `None` if no app is named.
    app_id: Option<String>,
    sources: Option<Vec<LastReport>>,
    newest_report: Option<TimestampMs>,
    /// End of the newest minute that is rolled up.
    rolled_up_to: Option<TimestampMs>,
    /// Time from the end of the newest rolled-up minute to the newest report.
    rollups_behind_ms: Option<i64>,
    /// `None` without access to the tables.
    wrong_clocks: Option<Vec<WrongClock>>,
    /// Until when reports are rejected, because the app exceeded its rate.
    limited_until: Option<TimestampMs>,
}

pub(crate) async fn run(args: Status, cli: &Cli) -> anyhow::Result<()> {
    let site = site(cli).await?;
    let address = http_address(cli, site.as_ref())?;
    let http = HttpClient::new(&address, TIMEOUT)?;
    let mut overview = Overview { address, ..Overview::default() };
    let health = get::<Health>(&http, "/health", None).await.map(|health| {
        overview.status = Some(health.status);
        overview.version = Some(health.version);
    });
    let store = match &site {
        Some(site) => Some(store::open_site(site, cli, None).await?),
        None => None,
    };
    let live = store.as_ref().and_then(|store| store.live.as_ref());
    if let Some(live) = live {
        let mut tables = Vec::new();
        for table in &live.tables {
            tables.push(live.clients.table_status(table).await?);
        }
        overview.tables = Some(tables);
    }
    let app = selected_app(args.app.as_deref(), site.as_ref())?;
    // Without the service and the tables there is no source of information.
    if let Some(id) = app.filter(|_| health.is_ok() || live.is_some()) {
        let credential = credential(&id, cli, site.as_ref())?.filter(|_| health.is_ok());
        overview.read_app(id, credential, &http, store.as_ref()).await?;
    }
    cli.console.show_lines(&overview, || overview.lines())?;
    if overview.app_id.is_none() && health.is_ok() {
        cli.console.hint("name an application to see its sources and how far its rollups have advanced");
    }
    health
}

async fn get<T: DeserializeOwned>(
    http: &HttpClient,
    path: &str,
    credential: Option<&Credential>,
) -> anyhow::Result<T> {
    let body = http.get(path, &[], "application/json", credential).await?;
    serde_json::from_str(&body).with_context(|| format!("cannot parse the response of {path}"))
}

impl Overview {
    /// Reads the app's state from the service, or without a credential from the tables.
    async fn read_app(
        &mut self,
        id: String,
        credential: Option<Credential>,
        http: &HttpClient,
        store: Option<&Store>,
    ) -> anyhow::Result<()> {
        let now = clock::now();
        let stored = match store.and_then(|store| Some((store, store.live.as_ref()?))) {
            Some((store, live)) => Some((live, find(&store.apps, &id).await?)),
            None => None,
        };
        let latest: Latest = match (&credential, &stored) {
            (Some(_), _) => get(http, &format!("/apps/{id}/metrics/latest"), credential.as_ref()).await?,
            (None, Some((live, app))) => stored_reports(live, app, now).await?,
            (None, None) => bail!(missing_credential(&id)),
        };
        self.app_id = Some(id);
        self.set_sources(latest, now);
        if let Some((live, app)) = &stored {
            self.wrong_clocks = Some(live.publishers.wrong_clocks(&app.id, now).await?);
            self.limited_until = app.limited_until.filter(|until| *until > now);
            self.set_rolled_up_to(newest_rollup(live, app, now).await?);
        }
        Ok(())
    }

    fn set_sources(&mut self, mut latest: Latest, now: TimestampMs) {
        for last in &mut latest.reports {
            last.age_ms = now.ms_since(last.timestamp).max(0);
        }
        self.newest_report = latest.reports.iter().map(|last| last.timestamp).max();
        self.sources = Some(latest.reports);
    }

    fn set_rolled_up_to(&mut self, rolled_up_to: Option<TimestampMs>) {
        self.rolled_up_to = rolled_up_to;
        let times = self.newest_report.zip(rolled_up_to);
        self.rollups_behind_ms = times.map(|(newest, rolled_up_to)| newest.ms_since(rolled_up_to).max(0));
    }

    fn lines(&self) -> Vec<String> {
        let health = match (&self.status, &self.version) {
            (Some(status), Some(version)) => format!("{status} (version {version})"),
            _ => "does not respond".to_owned(),
        };
        let mut lines = vec![format!("service  {} {health}", self.address)];
        lines.extend(self.app_id.iter().flat_map(|id| self.app_lines(id)));
        let state = |table: &TableStatus| {
            let status = table.status.to_lowercase();
            format!("table    {} {status}, {} items at DynamoDB's last count", table.name, table.items)
        };
        lines.extend(self.tables.iter().flatten().map(state));
        lines
    }

    fn app_lines(&self, id: &str) -> Vec<String> {
        let reports = self.sources.as_deref().unwrap_or_default();
        let sources = match reports.len() {
            0 => "no recent reports".to_owned(),
            1 => "one source".to_owned(),
            count => format!("{count} sources"),
        };
        let mut lines = vec![format!("app      {id}: {sources}")];
        lines.extend(reports.iter().map(|last| format!("         {}, {}", last.source, ago(last.age_ms))));
        let Some(wrong_clocks) = &self.wrong_clocks else { return lines };
        let limited = |until| format!("         reports are rejected until {until}, the rate was exceeded");
        lines.extend(self.limited_until.map(limited));
        lines.extend(wrong_clocks.iter().map(|clock| format!("clock    {}", clock_skew::line(clock))));
        lines.push(format!("rollups  {}", self.rollup_progress()));
        lines
    }

    /// How far the newest rollup is behind the newest report. Up to two minutes are normal, because the stream collects a
    /// batch for a minute.
    fn rollup_progress(&self) -> String {
        let Some(rolled_up_to) = self.rolled_up_to else { return "none yet".to_owned() };
        match self.rollups_behind_ms {
            None => format!("up to {rolled_up_to}, no recent report"),
            Some(0) => format!("up to {rolled_up_to}, not behind the newest report"),
            Some(behind_ms) => {
                format!("up to {rolled_up_to}, {} s behind the newest report", behind_ms / 1_000)
            }
        }
    }
}

/// The last report of each source, from the rollup function's records and the newest raw report.
async fn stored_reports(live: &Live, app: &App, now: TimestampMs) -> anyhow::Result<Latest> {
    let recorded = live.rollups.last_reports(&app.id, now).await?.reports;
    let newest = live.reports.recent(app, now.plus_ms(-RECENT_MS), now, 1).await?.reports;
    let mut last = BTreeMap::new();
    for report in recorded.into_iter().chain(newest) {
        let latest = last.entry(report.source).or_insert(report.timestamp);
        *latest = report.timestamp.max(*latest);
    }
    let report = |(source, timestamp)| LastReport { source, timestamp, age_ms: 0 };
    Ok(Latest { reports: last.into_iter().map(report).collect() })
}

/// End of the newest minute that is rolled up.
async fn newest_rollup(live: &Live, app: &App, now: TimestampMs) -> anyhow::Result<Option<TimestampMs>> {
    let tomorrow = RollupSpan::containing(Resolution::Minute, now.plus_ms(DAY_MS));
    let mut rolled_up_to = None;
    for shard in 0..app.shards {
        let shard = AppShard { app: app.id.clone(), shard };
        let newest = live.rollups.newest_before(&shard, tomorrow).await?;
        rolled_up_to = rolled_up_to.max(newest.map(|stored| stored.through));
    }
    Ok(rolled_up_to)
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

    /// Sources at these times, seen at 2.5 s.
    fn overview(reported_ms: &[i64]) -> Overview {
        let source = Source::new("s").unwrap();
        let report =
            |&ms| LastReport { source: source.clone(), timestamp: TimestampMs::clamped(ms), age_ms: 0 };
        let mut overview = Overview::default();
        let latest = Latest { reports: reported_ms.iter().map(report).collect() };
        overview.set_sources(latest, TimestampMs::clamped(2_500));
        overview
    }

    #[test]
    fn rollups_are_behind_by_the_age_of_unrolled_reports() {
        for (reported, rolled_up_to, behind_ms, shown) in [
            (&[90_000][..], Some(60_000), Some(30_000), "00:01:00.000Z, 30 s behind the newest report"),
            (&[90_000], Some(120_000), Some(0), "00:02:00.000Z, not behind the newest report"),
            (&[90_000], None, None, "none yet"),
            (&[], Some(60_000), None, "00:01:00.000Z, no recent report"),
        ] {
            let mut overview = overview(reported);
            overview.set_rolled_up_to(rolled_up_to.map(TimestampMs::clamped));
            assert_eq!(overview.rollups_behind_ms, behind_ms);
            assert!(overview.rollup_progress().ends_with(shown), "{}", overview.rollup_progress());
        }
    }

    #[test]
    fn report_from_a_fast_clock_has_no_negative_age() {
        let ages = overview(&[0, 90_000]).sources.unwrap().iter().map(|last| last.age_ms).collect::<Vec<_>>();
        assert_eq!(ages, [2_500, 0]);
    }
}
