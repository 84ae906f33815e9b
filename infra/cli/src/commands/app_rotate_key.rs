//! `nsl app rotate-key`: adds a second key, and later removes the older one, without an outage.
//!
//! Each scope may have two valid keys at a time. The new key is shown only once, because only its hash is stored.

use crate::app_edit::edit;
use crate::app_view::scope;
use crate::args::{AppRotateKey, argument, union};
use crate::cli::Cli;
use crate::{key_file, store};
use anyhow::{Context as _, bail};
use nsl_auth::api_key;
use nsl_aws::apps::Apps;
use nsl_client::console::Console;
use nsl_domain::app::{App, KeyRecord, MAX_KEYS_OF_SCOPE};
use nsl_domain::ids::{KeyHash, KeyId, Scope};
use serde_json::json;
use std::path::Path;

pub(crate) async fn run(args: AppRotateKey, cli: &Cli) -> anyhow::Result<()> {
    let store = store::open(cli, args.named.table.as_deref()).await?;
    let requested = union(&args.scope);
    if args.drop_old || args.drop.is_some() {
        let remove = |app: &mut App| remove_key(app, args.drop.as_deref(), requested);
        return show_remaining(&edit(&store.apps, &args.named.app, remove).await?, &cli.console);
    }
    let text = match (&cli.place.key_file, args.import) {
        (Some(path), true) => imported_key(path, &args.named.app, &store.apps).await?,
        (None, true) => bail!("--import needs --key-file FILE"),
        (Some(path), false) => key_file::create(path)?,
        (None, false) => api_key::generate()?,
    };
    let app = edit(&store.apps, &args.named.app, |app| add_key(app, &text, requested)).await?;
    let key = app.keys.last().context("the application has no key")?;
    let document = json!({"appId": app.id, "keyId": key.id, "scope": key.scope, "apiKey": text});
    let shown = if args.import { "the imported one" } else { &text };
    cli.console.show_lines(&document, || {
        [format!("key     {shown}"), format!("id      {}", key.id), format!("may     {}", scope(key.scope))]
    })?;
    let once = if args.import { "" } else { "the key is shown only once; " };
    let again = cli.place.again();
    let next = format!("nsl app rotate-key {} --drop-old --scope {}{again}", app.id, argument(key.scope));
    cli.console.hint(&format!("{once}once all publishers and viewers use it, run: {next}"));
    Ok(())
}

/// The key in the file at `path`, which no app accepts yet.
async fn imported_key(path: &Path, app: &str, apps: &Apps) -> anyhow::Result<String> {
    let imported = key_file::import(path)?.with_context(|| format!("there is no file {}", path.display()))?;
    if let Some(identity) = imported.identity.filter(|identity| identity.app_id != app) {
        bail!("the configuration in --key-file is that of application {:?}, not of {app}", identity.app_id);
    }
    if let Some(owner) = apps.find_by_key(KeyHash::of(&imported.key)).await? {
        bail!("the key is one of application {} already", owner.id);
    }
    Ok(imported.key)
}

/// The requested scope, else that of the newest key.
fn rotated_scope(app: &App, requested: Option<Scope>) -> Scope {
    requested.or_else(|| app.keys.last().map(|key| key.scope)).unwrap_or(Scope::BOTH)
}

pub(crate) fn add_key(app: &mut App, text: &str, requested: Option<Scope>) -> anyhow::Result<()> {
    let rotated = rotated_scope(app, requested);
    if app.add_key(KeyRecord::of(text, rotated)).is_err() {
        bail!(
            "{} has {MAX_KEYS_OF_SCOPE} valid keys that may {}: remove one first, with --drop-old --scope {} or \
             --drop KEY_ID",
            app.id,
            scope(rotated),
            argument(rotated)
        );
    }
    Ok(())
}

/// Removes the key with this id, or else the older of two keys of the rotated scope.
fn remove_key(app: &mut App, id: Option<&str>, requested: Option<Scope>) -> anyhow::Result<()> {
    let id = match id {
        Some(id) => KeyId::new(id).with_context(|| format!("invalid key id {id:?}"))?,
        None => older_key(app, rotated_scope(app, requested))?,
    };
    app.drop_key(&id).map(drop).with_context(|| format!("{} has no key {id}", app.id))
}

fn older_key(app: &App, rotated: Scope) -> anyhow::Result<KeyId> {
    let mut keys = app.keys_of(rotated);
    match (keys.next(), keys.next()) {
        (Some(older), Some(_)) => Ok(older.id.clone()),
        _ => bail!(
            "{} has no older key that may {}: add a new one first, or name another with --scope or --drop KEY_ID",
            app.id,
            scope(rotated)
        ),
    }
}

fn show_remaining(app: &App, console: &Console) -> anyhow::Result<()> {
    let keys: Vec<&str> = app.keys.iter().map(|key| key.id.as_str()).collect();
    let shown = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
    let text = || format!("valid keys of {}: {shown}", app.id);
    console.show(&json!({"appId": app.id, "keys": keys}), text)?;
    console.hint("the removed key is no longer accepted; its open connections are rejected within a minute");
    Ok(())
}
