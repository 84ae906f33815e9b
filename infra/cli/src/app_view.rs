//! An app as text and as JSON. Keys appear by their ids, because their text is not stored.

use nsl_domain::app::App;
use nsl_domain::ids::Scope;
use nsl_domain::rollup::Retention;
use nsl_domain::time::HOUR_MS;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The app as JSON. `default` is the service's retention.
pub(crate) fn document(app: &App, default: Retention) -> Map<String, Value> {
    let keys: Vec<Value> = app.keys.iter().map(|key| json!({"id": key.id, "scope": key.scope})).collect();
    let rates = app.rates();
    let document = json!({
        "appId": app.id,
        "userId": app.owner,
        "name": app.name,
        "status": app.status,
        "legacy": app.legacy,
        "shards": app.shards,
        "limits": {"reports": rates.reports.per_second, "bytes": rates.bytes.per_second,
            "connections": app.max_connections(), "subscriptions": app.limits.subscriptions},
        "ownLimits": app.limits,
        "retentionHours": BTreeMap::from(retention_hours(app, default)),
        "ownRetentionHours": app.retention,
        "createdAt": app.created_at,
        "limitedUntil": app.limited_until,
        "keys": keys,
        "tokensNotBefore": app.tokens_not_before,
    });
    document.as_object().cloned().unwrap_or_default()
}

/// The app as text, one line per setting. `default` is the service's retention.
pub(crate) fn card(app: &App, default: Retention) -> Vec<String> {
    let rates = app.rates();
    let mut lines = vec![
        row("app", app.id.as_str()),
        row("owner", app.owner.as_str()),
        row("name", &app.name),
        row("status", app.status.as_str()),
        row("legacy", on_off(app.legacy)),
        row("shards", &app.shards.to_string()),
        row(
            "rate",
            &format!(
                "at most {} reports and {} bytes a second",
                rates.reports.per_second, rates.bytes.per_second
            ),
        ),
        row("connections", &connections(app)),
        row("retention", &retention(app, default)),
    ];
    lines.extend(
        app.limited_until.map(|until| {
            row("limited", &format!("reports are rejected until {until}, the rate was exceeded"))
        }),
    );
    for key in &app.keys {
        let is_older = app.keys_of(key.scope).last().is_some_and(|newest| newest.id != key.id);
        let age = if is_older { ", the older one" } else { "" };
        lines.push(row("key", &format!("{} may {}{age}", key.id, scope(key.scope))));
    }
    if app.keys.is_empty() {
        lines.push(row("key", "none"));
    }
    lines.extend(app.tokens_not_before.map(|earliest| row("tokens", &format!("issued since {earliest}"))));
    lines
}

/// One line of a card.
pub(crate) fn row(name: &str, value: &str) -> String {
    format!("{name:<13}{value}")
}

fn connections(app: &App) -> String {
    let connections = format!("at most {} connections", app.max_connections());
    match app.limits.subscriptions {
        Some(subscriptions) => format!("{connections}, {subscriptions} of them viewers"),
        None => connections,
    }
}

/// How long each resolution is kept.
fn retention_hours(app: &App, default: Retention) -> [(&'static str, i64); 5] {
    let retention = app.retention.with_defaults(default);
    let spans = [
        ("raw", retention.raw_ms),
        ("minute", retention.minute_ms),
        ("tenMinutes", retention.ten_minutes_ms),
        ("hour", retention.hour_ms),
        ("day", retention.day_ms),
    ];
    spans.map(|(name, ms)| (name, ms / HOUR_MS))
}

fn retention(app: &App, default: Retention) -> String {
    let names = ["raw", "1 min", "10 min", "1 h", "1 day"];
    let parts =
        names.into_iter().zip(retention_hours(app, default)).map(|(name, (_, hours))| match hours % 24 {
            0 => format!("{name} {} days", hours / 24),
            _ => format!("{name} {hours} hours"),
        });
    parts.collect::<Vec<_>>().join(", ")
}

/// What a scope allows.
pub(crate) fn scope(scope: Scope) -> String {
    in_words(&Vec::from_iter(scope.words()))
}

/// `a`, `a and b`, or `a, b and c`.
pub(crate) fn in_words(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        words => words.concat(),
    }
}

/// The value of a flag.
pub(crate) fn on_off(flag: bool) -> &'static str {
    if flag { "on" } else { "off" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::app::{DEFAULT_SHARDS, KeyRecord, OwnLimits, Status};
    use nsl_domain::ids::{AppId, UserId};
    use nsl_domain::rollup::AppRetention;
    use nsl_domain::time::TimestampMs;

    #[test]
    fn card_shows_every_setting_and_no_key() {
        let (old, new) = (KeyRecord::of("a", Scope::PUBLISH), KeyRecord::of("b", Scope::PUBLISH));
        let other = KeyRecord::of("c", Scope::BOTH);
        let app = App {
            id: AppId::new("shop").unwrap(),
            owner: UserId::new("ann").unwrap(),
            name: "Shop".into(),
            status: Status::Inactive,
            keys: vec![old.clone(), new.clone(), other.clone()],
            legacy: true,
            shards: DEFAULT_SHARDS,
            tokens_not_before: Some(TimestampMs::clamped(0)),
            created_at: None,
            id_free_since: None,
            limits: OwnLimits { reports: Some(20), subscriptions: Some(3), ..OwnLimits::default() },
            retention: AppRetention { raw: Some(50), ..AppRetention::default() },
            limited_until: Some(TimestampMs::clamped(60_000)),
        };
        let expected = format!(
            "app          shop\nowner        ann\nname         Shop\nstatus       inactive\nlegacy       on\n\
             shards       1\n\
             rate         at most 20 reports and 1000000 bytes a second\n\
             connections  at most 2500 connections, 3 of them viewers\n\
             retention    raw 50 hours, 1 min 8 days, 10 min 35 days, 1 h 400 days, 1 day 1826 days\n\
             limited      reports are rejected until 1970-01-01T00:01:00.000Z, the rate was exceeded\n\
             key          {} may publish, the older one\n\
             key          {} may publish\nkey          {} may publish and view\n\
             tokens       issued since 1970-01-01T00:00:00.000Z",
            old.id, new.id, other.id
        );
        assert_eq!(card(&app, Retention::default()).join("\n"), expected);
        let document = Value::Object(document(&app, Retention::default())).to_string();
        assert!(!document.contains(&old.hash.to_hex()));
    }
}
