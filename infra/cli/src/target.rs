//! Which service, app and credential a command uses, from arguments, ready file and environment.
//!
//! The credential is the first of: `--key-file`, `NSL_TOKEN`, the key of the ready file's own app, `NSL_API_KEY`.

use crate::cli::Cli;
use crate::key_file;
use crate::stack;
use anyhow::{Context as _, bail};
use nsl_client::credential::Credential;
use nsl_client::ready_file::{DEFAULT_PATH, ReadyFile};
use nsl_domain::ids::AppId;
use std::path::PathBuf;

/// An app of a service, with a credential for it.
#[derive(Debug)]
pub(crate) struct Target {
    /// Address of the API.
    pub(crate) address: String,
    pub(crate) app_id: String,
    pub(crate) credential: Credential,
}

impl Target {
    /// The target on the WebSocket API. `app` is the app that the arguments name.
    pub(crate) async fn of_websocket(cli: &Cli, app: Option<&str>) -> anyhow::Result<Self> {
        let site = site(cli).await?;
        let address = cli.place.ws.clone().or_else(|| site.as_ref().map(|site| site.ws.clone()));
        let address = address.context(
            "no service named: give --local for the gateway on this machine, --stack NAME, or --ws URL",
        )?;
        Self::at(address, cli, app, site.as_ref())
    }

    /// The target on the HTTP API.
    pub(crate) async fn of_http(cli: &Cli, app: Option<&str>) -> anyhow::Result<Self> {
        let site = site(cli).await?;
        Self::at(http_address(cli, site.as_ref())?, cli, app, site.as_ref())
    }

    fn at(address: String, cli: &Cli, app: Option<&str>, site: Option<&ReadyFile>) -> anyhow::Result<Self> {
        let app_id = match selected_app(app, site)? {
            Some(app_id) => app_id,
            None if cli.place.stack.is_some() || site.is_none() => bail!("no application named: give its id"),
            None => bail!("the gateway runs without a demo application: give the id of another one"),
        };
        let credential = credential(&app_id, cli, site)?;
        let credential = credential.with_context(|| missing_credential(&app_id))?;
        Ok(Self { address, app_id, credential })
    }
}

/// The service that `--local` or `--stack` names, if one of them is given.
pub(crate) async fn site(cli: &Cli) -> anyhow::Result<Option<ReadyFile>> {
    if let Some(stack) = &cli.place.stack {
        return stack::site(stack, cli).await.map(Some);
    }
    let Some(argument) = &cli.place.local else { return Ok(None) };
    let path = argument.clone().or_else(|| cli.settings.ready_file.clone());
    ReadyFile::read(&path.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH))).map(Some)
}

/// Address of the HTTP API: that of `--http`, else that of `site`.
pub(crate) fn http_address(cli: &Cli, site: Option<&ReadyFile>) -> anyhow::Result<String> {
    let address = cli.place.http.clone().or_else(|| site.map(|site| site.http.clone()));
    address.context(
        "no service named: give --local for the gateway on this machine, --stack NAME, or --http URL",
    )
}

/// The app that the argument names, else the demo app of `site`.
pub(crate) fn selected_app(app: Option<&str>, site: Option<&ReadyFile>) -> anyhow::Result<Option<String>> {
    let demo = site.and_then(|site| site.app.as_ref()).map(|demo| demo.app_id.as_str());
    let Some(app_id) = app.or(demo) else { return Ok(None) };
    let app_id = AppId::new(app_id).with_context(|| format!("invalid application id {app_id:?}"))?;
    Ok(Some(app_id.into()))
}

/// The credential for the app, if there is one.
pub(crate) fn credential(
    app_id: &str,
    cli: &Cli,
    site: Option<&ReadyFile>,
) -> anyhow::Result<Option<Credential>> {
    let demo = site.and_then(|site| site.app.as_ref()).filter(|demo| demo.app_id == app_id);
    let demo_key = demo.map(|demo| demo.api_key.clone());
    Ok(match (&cli.place.key_file, &cli.settings.token) {
        (Some(path), _) => Some(Credential::Key(key_file::read(path)?)),
        (None, Some(token)) => Some(Credential::Token(token.clone())),
        (None, None) => demo_key.or_else(|| cli.settings.api_key.clone()).map(Credential::Key),
    })
}

/// The error for an app without a credential.
pub(crate) fn missing_credential(app_id: &str) -> String {
    format!("no credential for application {app_id}: set NSL_API_KEY or NSL_TOKEN, or give --key-file FILE")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Place;
    use nsl_client::console::Console;
    use nsl_client::ready_file::AppKey;
    use nsl_client::settings::Settings;

    fn site(with_demo: bool) -> ReadyFile {
        let mut site: ReadyFile = serde_json::from_str(r#"{"ws":"ws://here"}"#).unwrap();
        let demo = AppKey { app_id: "demo".to_owned(), api_key: "demo-key".to_owned() };
        site.app = with_demo.then_some(demo);
        site
    }

    fn cli(api_key: Option<&str>, token: Option<&str>) -> Cli {
        let (api_key, token) = (api_key.map(str::to_owned), token.map(str::to_owned));
        let settings = Settings { api_key, token, ..Settings::default() };
        Cli::new(Place::default(), settings, Console::new("nsl", true, true))
    }

    fn found(app: Option<&str>, site: Option<&ReadyFile>, cli: &Cli) -> Result<(String, Credential), String> {
        let target = Target::at(String::new(), cli, app, site);
        target.map(|target| (target.app_id, target.credential)).map_err(|error| error.to_string())
    }

    fn key(app: &str, key: &str) -> Result<(String, Credential), String> {
        Ok((app.to_owned(), Credential::Key(key.to_owned())))
    }

    #[test]
    fn demo_application_uses_its_own_key() {
        let site = site(true);
        assert_eq!(found(None, Some(&site), &cli(None, None)), key("demo", "demo-key"));
        assert_eq!(found(Some("demo"), Some(&site), &cli(Some("other"), None)), key("demo", "demo-key"));
    }

    #[test]
    fn other_applications_use_the_key_of_the_environment() {
        let site = site(true);
        assert_eq!(found(Some("shop"), Some(&site), &cli(Some("k"), None)), key("shop", "k"));
        let error = found(Some("shop"), Some(&site), &cli(None, None)).unwrap_err();
        assert!(error.contains("NSL_API_KEY"), "{error}");
    }

    #[test]
    fn token_comes_before_every_key_without_a_key_file() {
        let expected = Ok(("demo".to_owned(), Credential::Token("t".to_owned())));
        assert_eq!(found(None, Some(&site(true)), &cli(Some("k"), Some("t"))), expected);
    }

    #[tokio::test]
    async fn missing_application_or_service_is_an_error() {
        let cli = cli(Some("k"), None);
        assert!(found(None, Some(&site(false)), &cli).unwrap_err().contains("demo application"));
        assert!(found(None, None, &cli).unwrap_err().contains("no application named"));
        let error = Target::of_websocket(&cli, Some("a")).await.unwrap_err();
        assert!(error.to_string().contains("--local"));
    }

    #[test]
    fn debug_hides_the_credential() {
        for credential in [Credential::Key("secret".to_owned()), Credential::Token("secret".to_owned())] {
            let target = Target { address: "w".to_owned(), app_id: "a".to_owned(), credential };
            assert!(!format!("{target:?}").contains("secret"));
        }
    }
}
