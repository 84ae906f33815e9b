//! `nsl status`: whether the service answers, and which sources report to an application.

use crate::args::{Place, Status};
use crate::clock;
use crate::console::Console;
use crate::http;
use crate::settings::Settings;
use crate::target::Target;
use crate::wire::epoch_ms;
use anyhow::Context as _;
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
    if console.is_json() {
        let sources: Vec<Value> = latest.reports.iter().map(|last| last.to_json(now_ms)).collect();
        let Health { status, version } = health;
        console.document(&json!({"address": target.address, "status": status, "version": version,
            "appId": target.app_id, "sources": sources}))?;
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
    Ok(())
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
    fn report_from_a_fast_clock_has_no_negative_age() {
        let last = Last { source: "s".to_owned(), timestamp: json!("2026-01-01T00:00:01Z") };
        assert_eq!(last.age_ms(0), Some(0));
        assert_eq!(last.age_ms(1_767_225_603_500), Some(2_500));
    }
}
