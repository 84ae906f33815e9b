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
use nsl_domain::grant::Scope;
use nsl_domain::time::TimestampMs;
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
    let (mut connected, mut wrong_clocks) = (None, None);
    if let Some(live) = &store.live {
        connected = Some(live.publishers.connected(&app.id, clock::now_ms()).await?.len());
        wrong_clocks = Some(live.publishers.wrong_clocks(&app.id, clock::now_ms()).await?);
    }
    if console.is_json() {
        let mut document = document(&app);
        document.insert("connections".to_owned(), json!(connected));
        document.insert("wrongClocks".to_owned(), json!(wrong_clocks.as_deref().map(clocks::documents)));
        console.document(&document)?;
        return Ok(());
    }
    console.line(&card(&app))?;
    if let Some(connected) = connected {
        console.line(&row("connected", &connected.to_string()))?;
    }
    for clock in wrong_clocks.iter().flatten() {
        console.line(&row("clock", &clocks::in_words(clock)))?;
    }
    Ok(())
}

/// The application as a document for programs.
pub(super) fn document(app: &App) -> Map<String, Value> {
    let keys: Vec<Value> = app.keys.iter().map(|key| json!({"id": key.id, "scope": key.scope})).collect();
    let earliest = app.tokens_not_before.as_ref().map(TimestampMs::to_string);
    let fields = [
        ("appId", json!(app.id)),
        ("userId", json!(app.owner)),
        ("name", json!(app.name)),
        ("status", json!(status(app.status))),
        ("legacy", json!(app.legacy)),
        ("shards", json!(app.shards)),
        ("keys", json!(keys)),
        ("tokensNotBefore", json!(earliest)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The application for people, one line a fact.
pub(super) fn card(app: &App) -> String {
    let mut lines = vec![
        row("app", app.id.as_str()),
        row("owner", app.owner.as_str()),
        row("name", &app.name),
        row("status", status(app.status)),
        row("legacy", if app.legacy { "on" } else { "off" }),
        row("shards", &app.shards.to_string()),
    ];
    for (index, key) in app.keys.iter().enumerate() {
        let age = if index + 1 < app.keys.len() { ", the older one" } else { "" };
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
    use nsl_domain::app::{DEFAULT_SHARDS, KeyRecord};
    use nsl_domain::ids::{AppId, UserId};

    #[test]
    fn keys_are_told_by_their_ids_and_their_age() {
        let (old, new) = (KeyRecord::of("a", Scope::Publish), KeyRecord::of("b", Scope::Both));
        let app = App {
            id: AppId::new("shop").unwrap(),
            owner: UserId::new("ann").unwrap(),
            name: "Shop".into(),
            status: Status::Inactive,
            keys: vec![old.clone(), new.clone()],
            legacy: true,
            shards: DEFAULT_SHARDS,
            tokens_not_before: Some(TimestampMs::clamped(0)),
        };
        let card = card(&app);
        assert!(card.starts_with("app       shop\nowner     ann\n"), "{card}");
        assert!(card.contains(&format!("{} may publish, the older one\n", old.id)), "{card}");
        assert!(card.contains(&format!("{} may publish and view\n", new.id)), "{card}");
        assert!(card.ends_with("tokens    issued since 1970-01-01T00:00:00.000Z"), "{card}");
        assert!(!Value::Object(document(&app)).to_string().contains(&old.hash.to_hex()));
    }
}
