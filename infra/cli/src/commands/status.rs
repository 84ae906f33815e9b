//! `nsl status`: whether the service answers, which sources report to an application, and, where the tables are
//! known, how these are, how far rollups follow, and whose clock is wrong.

use crate::args::{Place, Status};
use crate::backstage::{self, Backstage};
use crate::clock;
use crate::clocks;
use crate::console::Console;
use crate::http;
use crate::settings::Settings;
use crate::target::Target;
use crate::wire::epoch_ms;
use anyhow::Context as _;
use nsl_aws::tables::TableState;
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

/// Asks and tells.
pub(crate) async fn run(
    args: Status,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let target = Target::of_http(place, args.app.as_deref(), settings)?;
    let health: Health = answer(&target, "/health").await?;
    let latest: Latest = answer(&target, &format!("/apps/{}/metrics/latest", target.app_id)).await?;
    let now_ms = clock::now().as_millisecond();
    let backstage = backstage::look(place, settings, &target.app_id, TimestampMs::clamped(now_ms)).await?;
    let behind_ms = backstage.as_ref().and_then(|seen| behind_ms(seen, &latest));
    if console.is_json() {
        let sources: Vec<Value> = latest.reports.iter().map(|last| last.to_json(now_ms)).collect();
        let Health { status, version } = health;
        let tables = backstage.as_ref().map(|seen| seen.tables.iter().map(table_json).collect::<Vec<_>>());
        let wrong_clocks = backstage.as_ref().map(|seen| clocks::documents(&seen.wrong_clocks));
        console.document(&json!({"address": target.address, "status": status, "version": version,
            "appId": target.app_id, "sources": sources, "tables": tables, "rollupsBehindMs": behind_ms,
            "wrongClocks": wrong_clocks,
            "limitedUntil": backstage.and_then(|seen| seen.limited_until).map(|until| until.to_string())}))?;
        return Ok(());
    }
    let sources = match latest.reports.len() {
        0 => "nobody reported lately".to_owned(),
        1 => "one source".to_owned(),
        count => format!("{count} sources"),
    };
    console.line(&format!("service  {} {} (version {})", target.address, health.status, health.version))?;
    console.line(&format!("app      {}: {sources}", target.app_id))?;
    for last in &latest.reports {
        let age = last.age_ms(now_ms).map_or_else(|| "at an unknown time".to_owned(), ago);
        console.line(&format!("         {}, {age}", last.source))?;
    }
    let Some(seen) = backstage else { return Ok(()) };
    if let Some(until) = seen.limited_until {
        console.line(&format!("         it sent more than it may and is refused until {until}"))?;
    }
    for clock in &seen.wrong_clocks {
        console.line(&format!("clock    {}", clocks::in_words(clock)))?;
    }
    let behind = behind_ms.map_or_else(|| "nothing rolled up yet".to_owned(), behind);
    console.line(&format!("rollups  {behind}"))?;
    for table in &seen.tables {
        console.line(&format!(
            "table    {} {}, {} items",
            table.name,
            table.status.to_lowercase(),
            table.items
        ))?;
    }
    Ok(())
}

/// How much older than the newest report the end of the newest rolled-up minute is.
fn behind_ms(seen: &Backstage, latest: &Latest) -> Option<i64> {
    let newest_ms = latest.reports.iter().filter_map(|last| epoch_ms(&last.timestamp)).max()?;
    let rolled_up_to = seen.rolled_up_to?;
    Some(newest_ms.saturating_sub(rolled_up_to.ms()).max(0))
}

/// A stream's batch collects for a minute, so that two minutes are nothing to worry about.
fn behind(behind_ms: i64) -> String {
    match behind_ms {
        0 => "follow every report".to_owned(),
        _ => format!("{} s behind the newest report", behind_ms / 1_000),
    }
}

fn table_json(table: &TableState) -> Value {
    json!({"name": table.name, "status": table.status, "items": table.items})
}

async fn answer<T: serde::de::DeserializeOwned>(target: &Target, path: &str) -> anyhow::Result<T> {
    let body = http::ask(target, path, &[], "application/json").await?;
    serde_json::from_str(&body).with_context(|| format!("cannot understand the answer to {path}"))
}

impl Last {
    fn age_ms(&self, now_ms: i64) -> Option<i64> {
        epoch_ms(&self.timestamp).map(|ms| now_ms.saturating_sub(ms).max(0))
    }

    fn to_json(&self, now_ms: i64) -> Value {
        json!({"source": self.source, "timestamp": self.timestamp, "ageMs": self.age_ms(now_ms)})
    }
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

    #[test]
    fn rollups_are_behind_by_what_was_reported_since() {
        let latest =
            |iso: &str| Latest { reports: vec![Last { source: "s".to_owned(), timestamp: json!(iso) }] };
        let seen = |ms: i64| Backstage {
            tables: Vec::new(),
            rolled_up_to: Some(TimestampMs::clamped(ms)),
            wrong_clocks: Vec::new(),
            limited_until: None,
        };
        assert_eq!(behind_ms(&seen(60_000), &latest("1970-01-01T00:01:30Z")), Some(30_000));
        assert_eq!(behind_ms(&seen(120_000), &latest("1970-01-01T00:01:30Z")), Some(0));
        assert_eq!(
            behind_ms(&Backstage { rolled_up_to: None, ..seen(0) }, &latest("1970-01-01T00:01:30Z")),
            None
        );
    }

    #[test]
    fn report_from_a_fast_clock_has_no_negative_age() {
        let last = Last { source: "s".to_owned(), timestamp: json!("2026-01-01T00:00:01Z") };
        assert_eq!(last.age_ms(0), Some(0));
        assert_eq!(last.age_ms(1_767_225_603_500), Some(2_500));
    }
}
