//! `nsl app show`: one application as it is registered, how many connections name it, and which of their clocks are
//! wrong. Keys are shown by their ids, for their text is stored nowhere.

use super::app_change;
use crate::args::{AppNamed, Place};
use crate::clock;
use crate::clocks;
use crate::console::Console;
use crate::settings::Settings;
use crate::store;
use nsl_domain::app::{App, Status};
use nsl_domain::ids::Scope;
use nsl_domain::rollup::Retention;
use nsl_domain::time::{HOUR_MS, TimestampMs};
use serde_json::{Map, Value, json};

/// Shows the application that the arguments name.
pub(crate) async fn run(
    args: AppNamed,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let store = store::open(place, args.table.as_deref(), settings).await?;
    let app = app_change::find(&store.apps, &args.app).await?;
    let retention = store.retention.unwrap_or_default();
    let (mut connected, mut wrong_clocks) = (None, None);
    if let Some(live) = &store.live {
        connected = Some(live.publishers.connected(&app.id, clock::now_ms()).await?.len());
        wrong_clocks = Some(live.publishers.wrong_clocks(&app.id, clock::now_ms()).await?);
    }
    if console.is_json() {
        let mut document = document(&app, retention);
        document.insert("connections".to_owned(), json!(connected));
        document.insert("wrongClocks".to_owned(), json!(wrong_clocks.as_deref().map(clocks::documents)));
        console.document(&document)?;
        return Ok(());
    }
    console.line(&card(&app, retention))?;
    if let Some(connected) = connected {
        console.line(&row("connected", &connected.to_string()))?;
    }
    for clock in wrong_clocks.iter().flatten() {
        console.line(&row("clock", &clocks::in_words(clock)))?;
    }
    Ok(())
}

/// The application as a document for programs. `default` is the service's retention.
pub(super) fn document(app: &App, default: Retention) -> Map<String, Value> {
    let keys: Vec<Value> = app.keys.iter().map(|key| json!({"id": key.id, "scope": key.scope})).collect();
    let earliest = app.tokens_not_before.as_ref().map(TimestampMs::to_string);
    let fields = [
        ("appId", json!(app.id)),
        ("userId", json!(app.owner)),
        ("name", json!(app.name)),
        ("status", json!(status(app.status))),
        ("legacy", json!(app.legacy)),
        ("shards", json!(app.shards)),
        ("limits", limits(app)),
        ("ownLimits", json!(app.limits)),
        (
            "retentionHours",
            kept(app, default).into_iter().map(|(name, hours)| (name.to_owned(), json!(hours))).collect(),
        ),
        ("ownRetentionHours", json!(app.retention)),
        ("limitedUntil", json!(app.limited_until.as_ref().map(TimestampMs::to_string))),
        ("keys", json!(keys)),
        ("tokensNotBefore", json!(earliest)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The application for people, one line a fact. `default` is the service's retention.
pub(super) fn card(app: &App, default: Retention) -> String {
    let mut lines = vec![
        row("app", app.id.as_str()),
        row("owner", app.owner.as_str()),
        row("name", &app.name),
        row("status", status(app.status)),
        row("legacy", if app.legacy { "on" } else { "off" }),
        row("shards", &app.shards.to_string()),
        row("may send", &may_send(app)),
        row("may have", &may_have(app)),
        row("kept", &kept_for(app, default)),
    ];
    lines.extend(app.limited_until.map(|until| row("refused", &format!("until {until}, it sent too much"))));
    for key in &app.keys {
        let is_older = app.keys_of(key.scope).last().is_some_and(|newest| newest.id != key.id);
        let age = if is_older { ", the older one" } else { "" };
        lines.push(row("key", &format!("{} may {}{age}", key.id, scope(key.scope))));
    }
    if app.keys.is_empty() {
        lines.push(row("key", "none"));
    }
    lines.extend(app.tokens_not_before.map(|earliest| row("tokens", &format!("issued since {earliest}"))));
    lines.join("\n")
}

fn row(name: &str, value: &str) -> String {
    format!("{name:<10}{value}")
}

/// The limits that hold for the application.
fn limits(app: &App) -> Value {
    let rates = app.rates();
    json!({"reports": rates.reports.per_second, "bytes": rates.bytes.per_second,
        "connections": app.max_connections(), "subscriptions": app.limits.subscriptions})
}

fn may_send(app: &App) -> String {
    let rates = app.rates();
    format!("{} reports and {} bytes a second", rates.reports.per_second, rates.bytes.per_second)
}

fn may_have(app: &App) -> String {
    let connections = format!("{} connections", app.max_connections());
    match app.limits.subscriptions {
        Some(subscriptions) => format!("{connections}, {subscriptions} of them watching"),
        None => connections,
    }
}

/// How long each resolution is kept, in hours, where the service's retention is `default`.
fn kept(app: &App, default: Retention) -> [(&'static str, i64); 5] {
    let kept = app.retention.with_defaults(default);
    let figures = [
        ("raw", kept.raw_ms),
        ("minute", kept.minute_ms),
        ("tenMinutes", kept.ten_minutes_ms),
        ("hour", kept.hour_ms),
        ("day", kept.day_ms),
    ];
    figures.map(|(name, ms)| (name, ms / HOUR_MS))
}

fn kept_for(app: &App, default: Retention) -> String {
    let names = ["raw", "1 min", "10 min", "1 h", "1 day"];
    let parts = names.into_iter().zip(kept(app, default)).map(|(name, (_, hours))| match hours % 24 {
        0 => format!("{name} {} days", hours / 24),
        _ => format!("{name} {hours} hours"),
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// A status as it is written everywhere.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Inactive => "inactive",
    }
}

/// A scope in words.
pub(super) fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Publish => "publish",
        Scope::View => "view",
        Scope::Both => "publish and view",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::app::{DEFAULT_SHARDS, KeyRecord, OwnLimits};
    use nsl_domain::ids::{AppId, UserId};
    use nsl_domain::rollup::AppRetention;

    #[test]
    fn keys_are_told_by_their_ids_and_their_age() {
        let (old, new) = (KeyRecord::of("a", Scope::Publish), KeyRecord::of("b", Scope::Publish));
        let other = KeyRecord::of("c", Scope::Both);
        let app = App {
            id: AppId::new("shop").unwrap(),
            owner: UserId::new("ann").unwrap(),
            name: "Shop".into(),
            status: Status::Inactive,
            keys: vec![old.clone(), new.clone(), other.clone()],
            legacy: true,
            shards: DEFAULT_SHARDS,
            tokens_not_before: Some(TimestampMs::clamped(0)),
            limits: OwnLimits { reports: Some(20), subscriptions: Some(3), ..OwnLimits::default() },
            retention: AppRetention { raw: Some(50), ..AppRetention::default() },
            limited_until: Some(TimestampMs::clamped(60_000)),
        };
        let card = card(&app, Retention::default());
        assert!(card.starts_with("app       shop\nowner     ann\n"), "{card}");
        assert!(card.contains("may send  20 reports and 1000000 bytes a second\n"), "{card}");
        assert!(card.contains("may have  2500 connections, 3 of them watching\n"), "{card}");
        assert!(card.contains(
            "kept      raw 50 hours, 1 min 8 days, 10 min 35 days, 1 h 400 days, 1 day 1826 days\n"
        ));
        assert!(card.contains("refused   until 1970-01-01T00:01:00.000Z, it sent too much\n"), "{card}");
        assert!(card.contains(&format!("{} may publish, the older one\n", old.id)), "{card}");
        assert!(card.contains(&format!("{} may publish\n", new.id)), "{card}");
        assert!(card.contains(&format!("{} may publish and view\n", other.id)), "{card}");
        assert!(card.ends_with("tokens    issued since 1970-01-01T00:00:00.000Z"), "{card}");
        assert!(
            !Value::Object(document(&app, Retention::default())).to_string().contains(&old.hash.to_hex())
        );
    }
}
