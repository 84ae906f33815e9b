//! `nsl app rotate-key`: a second key beside the first, and later the older one taken back, without an outage.
//!
//! Two keys of each scope are valid at a time, and a rotation touches those of one scope alone. The new one is shown
//! once, for only its hash is stored.

use super::app_change::change;
use super::app_show::scope;
use crate::args::{AppRotateKey, KeyScope, Place};
use crate::console::Console;
use crate::settings::Settings;
use crate::{key_file, store};
use anyhow::{Context as _, bail};
use nsl_auth::api_key;
use nsl_domain::app::{App, KeyRecord, MAX_KEYS_OF_SCOPE};
use nsl_domain::ids::{KeyId, Scope};
use serde_json::json;

/// Adds a key or takes one back, as the arguments say.
pub(crate) async fn run(
    args: AppRotateKey,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let store = store::open(place, args.named.table.as_deref(), settings).await?;
    let wanted = args.scope.map(Scope::from);
    if args.drop_old || args.drop.is_some() {
        let drop = |app: &mut App| drop_key(app, args.drop.as_deref(), wanted);
        return tell_dropped(&change(&store.apps, &args.named.app, drop).await?, console);
    }
    let text = match &place.key_file {
        Some(path) => key_file::make(path)?,
        None => api_key::generate()?,
    };
    let app = change(&store.apps, &args.named.app, |app| add_key(app, &text, wanted)).await?;
    let key = app.keys.last().context("the application has no key")?;
    if console.is_json() {
        console.document(&json!({"appId": app.id, "keyId": key.id, "scope": key.scope, "apiKey": text}))?;
        return Ok(());
    }
    console.line(&format!("key     {text}\nid      {}\nmay     {}", key.id, scope(key.scope)))?;
    let next = format!("nsl app rotate-key {} --drop-old --scope {}", app.id, KeyScope::word(key.scope));
    console.note(&format!("shown this once; when every publisher and viewer has it: {next}"));
    Ok(())
}

/// The scope that is rotated: what the arguments say, else that of the newest key.
fn rotated(app: &App, wanted: Option<Scope>) -> Scope {
    wanted.or_else(|| app.keys.last().map(|key| key.scope)).unwrap_or(Scope::Both)
}

fn add_key(app: &mut App, text: &str, wanted: Option<Scope>) -> anyhow::Result<()> {
    let asked = rotated(app, wanted);
    if app.add_key(KeyRecord::of(text, asked)).is_err() {
        bail!(
            "{} has {MAX_KEYS_OF_SCOPE} valid keys that may {}: take one back first, with --drop-old --scope {} or \
             --drop KEY_ID",
            app.id,
            scope(asked),
            KeyScope::word(asked)
        );
    }
    Ok(())
}

/// Takes back the key of that id, or else the older of two of the scope that is rotated.
fn drop_key(app: &mut App, id: Option<&str>, wanted: Option<Scope>) -> anyhow::Result<()> {
    let id = match id {
        Some(id) => KeyId::new(id).with_context(|| format!("{id:?} is no key's id"))?,
        None => older(app, rotated(app, wanted))?,
    };
    app.drop_key(&id).map(drop).with_context(|| format!("{} has no key {id}", app.id))
}

/// The key of `asked` that a newer one has replaced.
fn older(app: &App, asked: Scope) -> anyhow::Result<KeyId> {
    let mut keys = app.keys_of(asked);
    match (keys.next(), keys.next()) {
        (Some(older), Some(_)) => Ok(older.id.clone()),
        _ => bail!(
            "{} has no older key that may {}: make a new one first, or name another with --scope or --drop KEY_ID",
            app.id,
            scope(asked)
        ),
    }
}

fn tell_dropped(app: &App, console: &Console) -> anyhow::Result<()> {
    let left: Vec<&str> = app.keys.iter().map(|key| key.id.as_str()).collect();
    if console.is_json() {
        console.document(&json!({"appId": app.id, "keys": left}))?;
        return Ok(());
    }
    let left = if left.is_empty() { "none".to_owned() } else { left.join(", ") };
    console.line(&format!("valid keys of {}: {left}", app.id))?;
    console.note(
        "the key that was taken back opens nothing more; its open connections are refused within a minute",
    );
    Ok(())
}
