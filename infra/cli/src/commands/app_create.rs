//! `nsl app create`: registers an application with its first key.
//!
//! The key is shown once, for only its hash is stored. `--demo` may run any number of times: it ends with the demo
//! application registered with the key of its file, whatever was there before.

use super::app_change::change;
use crate::args::{AppCreate, Place};
use crate::console::Console;
use crate::settings::Settings;
use crate::{key_file, random, store};
use anyhow::{Context as _, bail};
use nsl_auth::api_key;
use nsl_aws::apps::{Apps, Created};
use nsl_domain::app::{App, DEFAULT_SHARDS, KeyRecord, OwnLimits, Status};
use nsl_domain::ids::{AppId, Scope, UserId};
use nsl_domain::rollup::AppRetention;
use serde::Serialize;
use std::path::Path;

/// The demo application's id.
const DEMO_APP: &str = "demo";

/// The demo application's owner, and whose applications are meant on a local gateway where nobody is named.
pub(crate) const LOCAL_OWNER: &str = "demo-user";

/// What is told of an application that was asked for. It holds the key, so it has no `Debug`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    app_id: String,
    user_id: String,
    api_key: String,
    name: String,
    legacy: bool,
    /// False where it was there before.
    created: bool,
}

/// Registers the application that the arguments describe.
pub(crate) async fn run(
    args: AppCreate,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let app = describe(&args, place.local.is_some())?;
    if args.demo && place.key_file.is_none() {
        bail!("--demo keeps its key: give --key-file FILE");
    }
    let apps = store::open(place, args.table.as_deref(), settings).await?.apps;
    let api_key = match &place.key_file {
        Some(path) => key_file::read_or_make(path)?,
        None => api_key::generate()?,
    };
    let key = KeyRecord::of(&api_key, args.scope.map_or(Scope::Both, Into::into));
    let app = App { keys: vec![key], ..app };
    let created = match apps.create(&app).await? {
        Created::Done => true,
        Created::AlreadyExists if args.demo => {
            readmit(&apps, &app, &api_key).await?;
            false
        }
        Created::AlreadyExists => bail!("an application {} or one with this key is there already", app.id),
    };
    let registration = Registration {
        app_id: app.id.into(),
        user_id: app.owner.into(),
        api_key,
        name: app.name,
        legacy: app.legacy,
        created,
    };
    if console.is_json() {
        console.document(&registration)?;
    } else {
        console.line(&told(&registration, place.key_file.as_deref()))?;
    }
    Ok(())
}

/// The application as the arguments describe it, still without a key.
fn describe(args: &AppCreate, is_local: bool) -> anyhow::Result<App> {
    let (id, owner, name, legacy) = if args.demo {
        (DEMO_APP.to_owned(), LOCAL_OWNER.to_owned(), "Demo".to_owned(), true)
    } else {
        let id = args.app_id.clone().map_or_else(random::uuid, Ok)?;
        let owner = args.owner.clone().or_else(|| is_local.then(|| LOCAL_OWNER.to_owned()));
        let owner = owner.context("who owns it? give --owner USER")?;
        let name = args.name.clone().unwrap_or_else(|| id.clone());
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
        limits: OwnLimits::default(),
        retention: AppRetention::default(),
        limited_until: None,
    };
    args.terms.apply(&mut app)?;
    Ok(app)
}

/// Makes sure that the demo application that is there already opens to the key of the file. Where the file was lost
/// and made again, its key takes the place of all others: nobody can show those any more.
async fn readmit(apps: &Apps, demo: &App, api_key: &str) -> anyhow::Result<()> {
    let readmitted = change(apps, demo.id.as_str(), |there| {
        if api_key::find(there, api_key).is_none() {
            there.keys.clone_from(&demo.keys);
        }
        Ok(())
    });
    readmitted.await.map(drop).context("the demo application cannot take the key of the file")
}

fn told(registration: &Registration, key_file: Option<&Path>) -> String {
    let legacy = if registration.legacy { "on" } else { "off" };
    let mut lines = vec![
        format!("app     {}", registration.app_id),
        format!("owner   {}", registration.user_id),
        format!("name    {}", registration.name),
        format!("legacy  {legacy}"),
        format!("key     {}", registration.api_key),
        String::new(),
    ];
    lines.push(match key_file {
        Some(path) => format!("The key stands in {}; only its hash is stored.", path.display()),
        None => "The key is shown this once: only its hash is stored.".to_owned(),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demo_is_always_the_same_application() {
        let args = AppCreate { demo: true, ..AppCreate::default() };
        let demo = describe(&args, false).unwrap();
        assert_eq!(
            (demo.id.as_str(), demo.owner.as_str(), demo.name.as_str()),
            ("demo", "demo-user", "Demo")
        );
        assert!(demo.legacy && demo.keys.is_empty());
    }

    #[test]
    fn owner_must_be_named_away_from_the_local_gateway() {
        assert!(describe(&AppCreate::default(), false).unwrap_err().to_string().contains("--owner"));
        let app = describe(&AppCreate::default(), true).unwrap();
        assert_eq!(app.owner.as_str(), LOCAL_OWNER);
        assert_eq!(app.id.as_str(), app.name);
        assert_eq!(app.id.as_str().len(), 36);
    }

    #[test]
    fn malformed_id_is_told_with_its_argument() {
        let args = AppCreate { app_id: Some("a b".to_owned()), ..AppCreate::default() };
        assert!(format!("{:#}", describe(&args, true).unwrap_err()).starts_with("--app-id"));
    }

    #[test]
    fn key_is_told_once_and_where_it_stands() {
        let registration = Registration {
            app_id: "a".to_owned(),
            user_id: "u".to_owned(),
            api_key: "k".to_owned(),
            name: "A".to_owned(),
            legacy: false,
            created: true,
        };
        assert!(told(&registration, None).contains("shown this once"));
        assert!(told(&registration, Some(Path::new("f.key"))).contains("f.key"));
    }
}
