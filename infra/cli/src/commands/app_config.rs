//! `nsl app config`: prints the configuration file that the library imports, with a key of the app and the service's
//! address. stdout has nothing else, so that it can be the file.

use crate::app_edit::{edit, find};
use crate::args::AppConfig;
use crate::cli::Cli;
use crate::commands::app_rotate_key::add_key;
use crate::target::{credential, site};
use crate::{library_config, store};
use anyhow::{Context as _, bail, ensure};
use nsl_auth::api_key;
use nsl_aws::apps::Apps;
use nsl_client::credential::Credential;
use nsl_client::ready_file::ReadyFile;
use nsl_domain::app::App;
use nsl_domain::ids::Scope;

pub(crate) async fn run(args: AppConfig, cli: &Cli) -> anyhow::Result<()> {
    let site = site(cli).await?;
    let table = args.named.table.as_deref();
    let apps = match &site {
        Some(site) => store::open_site(site, cli, table).await?.apps,
        None => store::open(cli, table).await?.apps,
    };
    let address = cli.place.ws.as_deref().or_else(|| site.as_ref().map(|site| site.ws.as_str()));
    let address = address.context("no address of the service: give --ws URL")?;
    let app = find(&apps, &args.named.app).await?;
    let key =
        if args.new_key { new_key(&apps, &app, cli).await? } else { existing_key(&app, cli, site.as_ref())? };
    let config = library_config::render(&app, &key, address);
    if cli.console.is_json() {
        cli.console.document(&config)?;
    } else {
        cli.console.json_text(&serde_json::to_string_pretty(&config)?)?;
    }
    cli.console.hint("this configuration contains a key: keep it out of version control and logs");
    Ok(())
}

/// A new key, which may publish.
async fn new_key(apps: &Apps, app: &App, cli: &Cli) -> anyhow::Result<String> {
    ensure!(
        cli.place.key_file.is_none(),
        "--new-key is printed as a part of the configuration: omit --key-file, which names an existing key"
    );
    let key = api_key::generate()?;
    let app = edit(apps, app.id.as_str(), |app| add_key(app, &key, Some(Scope::PUBLISH))).await?;
    let added = api_key::find(&app, &key).context("the new key was removed meanwhile")?;
    cli.console.note(&format!(
        "added key {}, which may publish; to remove it: nsl app rotate-key {} --drop {}{}",
        added.id,
        app.id,
        added.id,
        cli.place.again()
    ));
    Ok(key)
}

/// The key that the arguments or the environment name. It must be one that the library can report with.
fn existing_key(app: &App, cli: &Cli, site: Option<&ReadyFile>) -> anyhow::Result<String> {
    let key = match credential(app.id.as_str(), cli, site)? {
        Some(Credential::Key(key)) => key,
        Some(Credential::Token(_)) => {
            bail!("NSL_TOKEN is set, but the configuration needs a key, which does not expire: unset it")
        }
        None => bail!(
            "no key of {}, of which only hashes are stored: give --key-file FILE, set NSL_API_KEY, or add a new key \
             with --new-key",
            app.id
        ),
    };
    let Some(record) = api_key::find(app, &key) else {
        bail!("the key is not one of {}: give another --key-file, or add a new key with --new-key", app.id);
    };
    ensure!(
        record.scope.contains(Scope::PUBLISH),
        "key {} may not publish, so that the library could not report: give another --key-file, or --new-key",
        record.id
    );
    Ok(key)
}
