//! `nsl status`: whether the service answers, and, where the tables are known, how these are. Of an application also
//! who reports to it, how far rollups follow, and whose clock is wrong.
//!
//! No application has to be named, and none opened where the tables are known: an operator reads these. A service that
//! does not answer is told with everything else, and the command fails.

use super::app_change::find;
use crate::args::{Place, Status};
use crate::backstage::{self, Backstage};
use crate::clock;
use crate::clocks;
use crate::console::Console;
use crate::http;
use crate::settings::Settings;
use crate::store::{self, Store};
use crate::target::{Credential, closed, credential, http_address, named_app, site};
use crate::wire::epoch_ms;
use anyhow::{Context as _, bail};
use nsl_aws::tables::TableStatus;
use nsl_domain::time::TimestampMs;
use serde::Deserialize;
use serde_json::{Value, json};

/// What the service says of itself.
#[derive(Debug, Deserialize)]
struct Health {
    status: String,
    version: String,
}

/// The last report of each source.
#[derive(Debug, Deserialize)]
struct Latest {
    reports: Vec<Last>,
}

#[derive(Debug, Deserialize)]
struct Last {
    source: String,
    timestamp: Value,
}

/// All that was found out.
struct Seen {
    address: String,
    health: anyhow::Result<Health>,
    app: Option<AppSeen>,
    tables: Option<Vec<TableStatus>>,
}

/// What was found out of the application.
struct AppSeen {
    id: String,
    latest: Latest,
    backstage: Option<Backstage>,
}

/// Asks and tells.
pub(crate) async fn run(
    args: Status,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let site = site(place, settings)?;
    let address = http_address(place, site.as_ref())?;
    let health = answer(None, &address, "/health").await;
    let store = match &site {
        Some(site) => Some(store::open_site(site, place, None).await?),
        None => None,
    };
    let live = store.as_ref().and_then(|store| store.live.as_ref());
    let tables = match live {
        Some(live) => Some(backstage::tables(live).await?),
        None => None,
    };
    let app = match named_app(args.app.as_deref(), site.as_ref())? {
        // Nothing more is known where neither the service nor its tables tell.
        Some(id) if health.is_ok() || live.is_some() => {
            let opens = credential(&id, place, site.as_ref(), settings)?.filter(|_| health.is_ok());
            Some(app_seen(id, opens, &address, store.as_ref()).await?)
        }
        _ => None,
    };
    tell(Seen { address, health, app, tables }, console)
}

/// Looks at the application: through the service where something opens it, else in the tables alone.
async fn app_seen(
    id: String,
    opens: Option<Credential>,
    address: &str,
    store: Option<&Store>,
) -> anyhow::Result<AppSeen> {
    let now = clock::now_ms();
    let known = match store.and_then(|store| Some((store, store.live.as_ref()?))) {
        Some((store, live)) => Some((live, find(&store.apps, &id).await?)),
        None => None,
    };
    let latest = match (&opens, &known) {
        (Some(opens), _) => answer(Some(opens), address, &format!("/apps/{id}/metrics/latest")).await?,
        (None, Some((live, app))) => Latest::of_stored(backstage::last_reports(live, app, now).await?),
        (None, None) => bail!(closed(&id)),
    };
    let backstage = match &known {
        Some((live, app)) => Some(backstage::look(live, app, now).await?),
        None => None,
    };
    Ok(AppSeen { id, latest, backstage })
}

async fn answer<T: serde::de::DeserializeOwned>(
    opens: Option<&Credential>,
    address: &str,
    path: &str,
) -> anyhow::Result<T> {
    let body = http::ask_as(opens, address, path, &[], "application/json").await?;
    serde_json::from_str(&body).with_context(|| format!("cannot understand the answer to {path}"))
}

fn tell(seen: Seen, console: &Console) -> anyhow::Result<()> {
    let now_ms = clock::now().as_millisecond();
    if console.is_json() {
        console.document(&seen.to_json(now_ms))?;
    } else {
        seen.lines(now_ms).iter().try_for_each(|line| console.line(line))?;
        if seen.app.is_none() && seen.health.is_ok() {
            console.note("name an application to see who reports to it and how far rollups follow");
        }
    }
    seen.health.map(drop)
}

impl Seen {
    fn to_json(&self, now_ms: i64) -> Value {
        let health = self.health.as_ref().ok();
        let app = self.app.as_ref();
        let behind = app.and_then(|app| app.backstage.as_ref());
        let sources = |app: &AppSeen| app.latest.reports.iter().map(|last| last.to_json(now_ms)).collect();
        let tables = self.tables.as_ref().map(|tables| tables.iter().map(table_json).collect::<Vec<_>>());
        let instant = |instant: Option<TimestampMs>| instant.map(|instant| instant.to_string());
        json!({"address": self.address, "status": health.map(|health| &health.status),
            "version": health.map(|health| &health.version), "tables": tables,
            "appId": app.map(|app| &app.id), "sources": app.map(sources).unwrap_or(Value::Null),
            "newestReport": instant(app.and_then(|app| app.latest.newest())),
            "rolledUpTo": instant(behind.and_then(|behind| behind.rolled_up_to)),
            "rollupsBehindMs": app.and_then(AppSeen::behind_ms),
            "wrongClocks": behind.map(|behind| clocks::documents(&behind.wrong_clocks)),
            "limitedUntil": instant(behind.and_then(|behind| behind.limited_until))})
    }

    fn lines(&self, now_ms: i64) -> Vec<String> {
        let health = self.health.as_ref().map_or_else(
            |_| "does not answer".to_owned(),
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

impl AppSeen {
    fn lines(&self, now_ms: i64) -> Vec<String> {
        let sources = match self.latest.reports.len() {
            0 => "nobody reported lately".to_owned(),
            1 => "one source".to_owned(),
            count => format!("{count} sources"),
        };
        let mut lines = vec![format!("app      {}: {sources}", self.id)];
        for last in &self.latest.reports {
            let age = last.age_ms(now_ms).map_or_else(|| "at an unknown time".to_owned(), ago);
            lines.push(format!("         {}, {age}", last.source));
        }
        let Some(seen) = &self.backstage else { return lines };
        let refused = |until| format!("         it sent more than it may and is refused until {until}");
        lines.extend(seen.limited_until.map(refused));
        lines.extend(seen.wrong_clocks.iter().map(|clock| format!("clock    {}", clocks::in_words(clock))));
        lines.push(format!("rollups  {}", self.followed()));
        lines
    }

    /// How far the newest rollup follows the newest report. A stream's batch collects for a minute, so that two
    /// minutes are nothing to worry about.
    fn followed(&self) -> String {
        let rolled_up_to = self.backstage.as_ref().and_then(|seen| seen.rolled_up_to);
        let Some(rolled_up_to) = rolled_up_to else { return "nothing rolled up yet".to_owned() };
        match self.behind_ms() {
            None => format!("up to {rolled_up_to}, and no report lately"),
            Some(0) => format!("up to {rolled_up_to}, not behind the newest report"),
            Some(behind_ms) => {
                format!("up to {rolled_up_to}, {} s behind the newest report", behind_ms / 1_000)
            }
        }
    }

    /// How much older than the newest report the end of the newest rolled-up minute is.
    fn behind_ms(&self) -> Option<i64> {
        let rolled_up_to = self.backstage.as_ref()?.rolled_up_to?;
        Some(self.latest.newest()?.ms_since(rolled_up_to).max(0))
    }
}

impl Latest {
    fn of_stored(last: impl IntoIterator<Item = (nsl_domain::ids::Source, TimestampMs)>) -> Self {
        let last = last.into_iter().map(|(source, timestamp)| Last {
            source: source.to_string(),
            timestamp: json!(timestamp.to_string()),
        });
        Self { reports: last.collect() }
    }

    fn newest(&self) -> Option<TimestampMs> {
        self.reports.iter().filter_map(|last| epoch_ms(&last.timestamp)).max().map(TimestampMs::clamped)
    }
}

impl Last {
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

/// An age in its largest whole unit.
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
    fn age_is_told_in_its_largest_whole_unit() {
        assert_eq!(
            [999, 119_000, 120_000, 7_200_000].map(ago),
            ["0 s ago", "119 s ago", "2 min ago", "2 h ago"]
        );
    }

    fn app(reported: Option<&str>, rolled_up_to_ms: Option<i64>) -> AppSeen {
        let last = |iso: &str| Last { source: "s".to_owned(), timestamp: json!(iso) };
        let backstage = Backstage {
            rolled_up_to: rolled_up_to_ms.map(TimestampMs::clamped),
            wrong_clocks: Vec::new(),
            limited_until: None,
        };
        let latest = Latest { reports: reported.map(last).into_iter().collect() };
        AppSeen { id: "shop".to_owned(), latest, backstage: Some(backstage) }
    }

    #[test]
    fn rollups_are_behind_by_what_was_reported_since() {
        let reported = Some("1970-01-01T00:01:30Z");
        for (reported, rolled_up_to, behind_ms, told) in [
            (reported, Some(60_000), Some(30_000), "00:01:00.000Z, 30 s behind the newest report"),
            (reported, Some(120_000), Some(0), "00:02:00.000Z, not behind the newest report"),
            (reported, None, None, "nothing rolled up yet"),
            (None, Some(60_000), None, "00:01:00.000Z, and no report lately"),
        ] {
            let app = app(reported, rolled_up_to);
            assert_eq!(app.behind_ms(), behind_ms);
            assert!(app.followed().ends_with(told), "{}", app.followed());
        }
    }

    #[test]
    fn report_from_a_fast_clock_has_no_negative_age() {
        let last = Last { source: "s".to_owned(), timestamp: json!("2026-01-01T00:00:01Z") };
        assert_eq!(last.age_ms(0), Some(0));
        assert_eq!(last.age_ms(1_767_225_603_500), Some(2_500));
    }
}
