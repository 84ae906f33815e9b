//! `nsl app create`: creates an app with its first key: a new one, which is shown only once because only its hash is
//! stored, or one that exists, alone in a file or in a configuration of the library.
//!
//! `--demo` is idempotent: afterwards the demo app exists and accepts the keys in the key files.

use crate::app_edit::{display_name, edit};
use crate::app_view::on_off;
use crate::args::{AppCreate, union};
use crate::cli::Cli;
use crate::key_file::Imported;
use crate::library_config::Identity;
use crate::{key_file, store};
use anyhow::{Context as _, bail};
use nsl_auth::api_key;
use nsl_aws::apps::{Apps, Created};
use nsl_client::clock;
use nsl_client::console::Console;
use nsl_domain::app::{App, DEFAULT_SHARDS, KeyRecord, OwnLimits, Status};
use nsl_domain::ids::{AppId, Scope, UserId};
use nsl_domain::rollup::AppRetention;
use nsl_domain::time::{SECOND_MS, TimestampMs};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// Longest wait for the end of the deletion of an earlier app.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Id of the demo app.
const DEMO_APP: &str = "demo";

/// Owner of the demo app, and the default owner on a local gateway.
pub(crate) const LOCAL_OWNER: &str = "demo-user";

/// The created app. It contains the key, so it has no `Debug`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    app_id: String,
    user_id: String,
    api_key: String,
    /// A key that may only view.
    #[serde(skip_serializing_if = "Option::is_none")]
    view_key: Option<String>,
    name: String,
    legacy: bool,
    /// False if the app existed before.
    created: bool,
}

/// How the app gets its key.
enum KeySource<'a> {
    /// A new one, which is shown.
    New,
    /// A new one, in a new file.
    NewFile(&'a Path),
    /// The one in a file.
    Imported(&'a Path, Imported),
}

impl KeySource<'_> {
    fn find(key_file: Option<&Path>) -> anyhow::Result<KeySource<'_>> {
        let Some(path) = key_file else { return Ok(KeySource::New) };
        Ok(match key_file::import(path)? {
            Some(imported) => KeySource::Imported(path, imported),
            None => KeySource::NewFile(path),
        })
    }

    /// The app that the file with the key names, too.
    fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Imported(_, imported) => imported.identity.as_ref(),
            Self::New | Self::NewFile(_) => None,
        }
    }

    fn key(&self) -> anyhow::Result<String> {
        match self {
            Self::New => Ok(api_key::generate()?),
            Self::NewFile(path) => key_file::read_or_create(path),
            Self::Imported(_, imported) => Ok(imported.key.clone()),
        }
    }
}

pub(crate) async fn run(args: AppCreate, cli: &Cli) -> anyhow::Result<()> {
    if args.demo && cli.place.key_file.is_none() {
        bail!("--demo needs --key-file FILE");
    }
    let key_source = KeySource::find(cli.place.key_file.as_deref())?;
    let app = new_app(&args, key_source.identity(), cli.place.local.is_some())?;
    let apps = store::open(cli, args.table.as_deref()).await?.apps;
    let api_key = key_source.key()?;
    let view_key = args.view_key_file.as_deref().map(key_file::read_or_create).transpose()?;
    let mut keys = vec![KeyRecord::of(&api_key, union(&args.scope).unwrap_or(Scope::BOTH))];
    keys.extend(view_key.as_ref().map(|key| KeyRecord::of(key, Scope::VIEW)));
    let id_free_since = wait_until_free(&apps, &app.id, &cli.console).await?;
    let app = new_born(App { keys, ..app }, id_free_since, clock::now());
    let created = match apps.create(&app).await? {
        Created::Done => true,
        Created::AlreadyExists if args.demo => {
            accept_keys(&apps, &app).await?;
            false
        }
        Created::AlreadyExists => bail!(existing(&apps, &app, &key_source, &cli.place.again()).await?),
    };
    let registration = Registration {
        app_id: app.id.into(),
        user_id: app.owner.into(),
        api_key,
        view_key,
        name: app.name,
        legacy: app.legacy,
        created,
    };
    Ok(cli.console.show_lines(&registration, || card(&registration, &key_source))?)
}

/// What exists already, and what to do, by a command with the arguments `again`.
async fn existing(apps: &Apps, app: &App, key_source: &KeySource<'_>, again: &str) -> anyhow::Result<String> {
    let id = &app.id;
    let Some(stored) = apps.find(id).await? else {
        return Ok(format!(
            "the key is one of another application already, and a key opens only one: {}",
            key_owners(apps, app).await?.join(", ")
        ));
    };
    let accepts_key = app.keys.iter().all(|key| stored.keys.iter().any(|known| known.hash == key.hash));
    Ok(match key_source {
        KeySource::Imported(..) if accepts_key => format!("application {id} already exists, with this key"),
        KeySource::Imported(path, _) => format!(
            "application {id} already exists, without this key; to add it: nsl app rotate-key {id} --import \
             --key-file {}{again}",
            path.display()
        ),
        KeySource::New | KeySource::NewFile(_) => format!("application {id} already exists"),
    })
}

/// The apps that the keys of `app` open.
async fn key_owners(apps: &Apps, app: &App) -> anyhow::Result<Vec<String>> {
    let mut owners = Vec::new();
    for key in &app.keys {
        owners.extend(apps.find_by_key(key.hash).await?.map(|owner| owner.id.into()));
    }
    Ok(owners)
}

/// Since when the id is free, if an earlier app of the id was deleted. Waits where its deletion is just ending: the
/// last rows of the earlier app are erased, and the second ends in which tokens for it may have been issued.
async fn wait_until_free(apps: &Apps, id: &AppId, console: &Console) -> anyhow::Result<Option<TimestampMs>> {
    let free_since = apps.id_free_since(id).await?;
    let left_ms = free_since.map_or(0, |free_since| free_since.ms_since(clock::now()));
    if let Some(left_ms) = u64::try_from(left_ms).ok().filter(|left_ms| *left_ms > 0) {
        console.note(&format!("waiting until the earlier app {id} is erased"));
        tokio::time::sleep(Duration::from_millis(left_ms).min(MAX_WAIT)).await;
    }
    Ok(free_since)
}

/// `app`, created at `now`. Where the clock of the operator who deleted the earlier app is ahead, its id is free now.
fn new_born(app: App, id_free_since: Option<TimestampMs>, now: TimestampMs) -> App {
    let id_free_since = id_free_since.map(|free_since| free_since.min(now.aligned_to(SECOND_MS)));
    App { created_at: Some(now), id_free_since, ..app }
}

/// The app that the arguments describe, without a key. `identity` is that of the file with its key: the ids must be the
/// same, or what the library sends would not be of this app.
fn new_app(args: &AppCreate, identity: Option<&Identity>, is_local: bool) -> anyhow::Result<App> {
    let (id, owner, name, legacy) = if args.demo {
        (DEMO_APP.to_owned(), LOCAL_OWNER.to_owned(), "Demo".to_owned(), true)
    } else {
        let id = agreed("--app-id", args.app_id.as_deref(), identity.map(|identity| &identity.app_id))?;
        // Random, as those of the library, because the id alone gives access to an app with `--legacy`.
        let id = id.unwrap_or_else(|| Uuid::new_v4().to_string());
        let owner = agreed("--owner", args.owner.as_deref(), identity.map(|identity| &identity.user_id))?;
        let owner = owner.or_else(|| is_local.then(|| LOCAL_OWNER.to_owned()));
        let owner = owner.context("no owner named: give --owner USER")?;
        let name = args.name.as_ref().or_else(|| identity?.name.as_ref());
        let name = name.map_or_else(|| Ok(id.clone()), |name| display_name(name))?;
        (id, owner, name, args.legacy)
    };
    let mut app = App {
        id: AppId::new(id).context("--app-id")?,
        owner: UserId::new(owner).context("--owner")?,
        name,
        status: Status::Active,
        keys: Vec::new(),
        legacy,
        shards: DEFAULT_SHARDS,
        tokens_not_before: None,
        created_at: None,
        id_free_since: None,
        limits: OwnLimits::default(),
        retention: AppRetention::default(),
        limited_until: None,
    };
    args.settings.apply(&mut app)?;
    Ok(app)
}

/// The id that the argument gives or the configuration has.
fn agreed(name: &str, argument: Option<&str>, configured: Option<&String>) -> anyhow::Result<Option<String>> {
    if let (Some(argument), Some(configured)) = (argument, configured)
        && argument != configured
    {
        bail!("{name} is {argument:?}, but the configuration in --key-file has {configured:?}: omit {name}");
    }
    Ok(argument.or(configured.map(String::as_str)).map(str::to_owned))
}

/// Makes the existing demo app accept the keys of `demo`. A view key is added to those that it has; otherwise all are
/// replaced, because the text of the old ones cannot be recovered.
async fn accept_keys(apps: &Apps, demo: &App) -> anyhow::Result<()> {
    let accepted = edit(apps, demo.id.as_str(), |stored| {
        let is_unknown = |key: &&KeyRecord| stored.keys.iter().all(|known| known.id != key.id);
        let missing: Vec<KeyRecord> = demo.keys.iter().filter(is_unknown).cloned().collect();
        let only_view = missing.iter().all(|key| key.scope == Scope::VIEW);
        let are_added = only_view && missing.into_iter().all(|key| stored.add_key(key).is_ok());
        if !are_added {
            stored.keys.clone_from(&demo.keys);
        }
        Ok(())
    });
    accepted.await.map(drop).context("cannot set the keys of the demo application")
}

fn card(registration: &Registration, key_source: &KeySource<'_>) -> [String; 7] {
    let hash = "the service stores only its hash.";
    let (key, storage) = match key_source {
        KeySource::New => (registration.api_key.clone(), format!("The key is shown only once: {hash}")),
        KeySource::NewFile(path) | KeySource::Imported(path, _) => {
            (format!("the one in {}", path.display()), format!("The key is only in that file; {hash}"))
        }
    };
    [
        format!("app     {}", registration.app_id),
        format!("owner   {}", registration.user_id),
        format!("name    {}", registration.name),
        format!("legacy  {}", on_off(registration.legacy)),
        format!("key     {key}"),
        String::new(),
        storage,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_issued_just_after_creation_names_the_new_app() {
        let second = TimestampMs::EXAMPLE.aligned_to(SECOND_MS);
        let created = second.plus_ms(900);
        for free_since in [None, Some(second), Some(second.plus_ms(-5_000)), Some(second.plus_ms(3_600_000))]
        {
            let app = new_born(App::example(), free_since, created);
            assert!(!app.is_younger_than(second), "the second of its creation, {free_since:?}");
            assert_eq!(app.is_younger_than(second.plus_ms(-6_000)), free_since.is_some(), "{free_since:?}");
        }
    }
}
