//! Which service, which application and which key a command means, out of arguments, ready file and environment.
//!
//! The rule of precedence: the key file, NSL_TOKEN, the key of the ready file's own application, NSL_API_KEY.

use crate::args::Place;
use crate::key_file;
use crate::local::{ReadyFile, ready_file_path};
use crate::settings::Settings;
use crate::stack;
use crate::wire::is_id;
use anyhow::{Context as _, bail, ensure};

/// What opens an application. It has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// An API key of the application.
    Key(String),
    /// A token for it, perhaps for others too.
    Token(String),
}

impl Credential {
    /// The text that travels as a bearer token.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Key(text) | Self::Token(text) => text,
        }
    }
}

/// An application on a service, with what opens it. Its `Debug` hides that.
pub(crate) struct Target {
    /// Address of the API.
    pub(crate) address: String,
    /// The application's id.
    pub(crate) app_id: String,
    /// What opens the application.
    pub(crate) credential: Credential,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Target")
            .field("address", &self.address)
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// The target of a command that speaks WebSocket. `app` is the application named by argument.
    pub(crate) fn of_websocket(
        place: &Place,
        app: Option<&str>,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let ready = site(place, settings)?;
        let address = place.ws.clone().or_else(|| ready.as_ref().map(|ready| ready.ws.clone()));
        Self::at(
            address.context(
                "which service? say --local for the gateway on this machine, --stack NAME, or --ws URL",
            )?,
            place,
            app,
            ready.as_ref(),
            settings,
        )
    }

    /// The target of a command that speaks HTTP.
    pub(crate) fn of_http(place: &Place, app: Option<&str>, settings: &Settings) -> anyhow::Result<Self> {
        let ready = site(place, settings)?;
        Self::at(http_address(place, ready.as_ref())?, place, app, ready.as_ref(), settings)
    }

    fn at(
        address: String,
        place: &Place,
        app: Option<&str>,
        ready: Option<&ReadyFile>,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let (app_id, credential) = credentials(place, app, ready, settings)?;
        Ok(Self { address, app_id, credential })
    }
}

/// The service that the arguments ask for by a ready file or by a stack, if they do.
pub(crate) fn site(place: &Place, settings: &Settings) -> anyhow::Result<Option<ReadyFile>> {
    if let Some(stack) = &place.stack {
        return stack::site(stack).map(Some);
    }
    let Some(argument) = &place.local else { return Ok(None) };
    let path = ready_file_path(argument.as_ref(), settings.ready_file.as_ref());
    ReadyFile::read(&path).map(Some)
}

/// Address of the HTTP API: the argument, else that of the service.
pub(crate) fn http_address(place: &Place, ready: Option<&ReadyFile>) -> anyhow::Result<String> {
    place
        .http
        .clone()
        .or_else(|| ready.map(|ready| ready.http.clone()))
        .context("which service? say --local for the gateway on this machine, --stack NAME, or --http URL")
}

/// The application that the argument names, else the service's own.
pub(crate) fn named_app(app: Option<&str>, ready: Option<&ReadyFile>) -> anyhow::Result<Option<String>> {
    let own = ready.and_then(|ready| ready.app.as_ref()).map(|own| own.app_id.as_str());
    let Some(app_id) = app.or(own) else { return Ok(None) };
    ensure!(is_id(app_id), "{app_id:?} is no application's id");
    Ok(Some(app_id.to_owned()))
}

/// What opens the application, if anything does.
pub(crate) fn credential(
    app_id: &str,
    place: &Place,
    ready: Option<&ReadyFile>,
    settings: &Settings,
) -> anyhow::Result<Option<Credential>> {
    let own = ready.and_then(|ready| ready.app.as_ref()).filter(|own| own.app_id == app_id);
    let own_key = own.map(|own| own.api_key.clone());
    Ok(match (&place.key_file, &settings.token) {
        (Some(path), _) => Some(Credential::Key(key_file::read(path)?)),
        (None, Some(token)) => Some(Credential::Token(token.clone())),
        (None, None) => own_key.or_else(|| settings.api_key.clone()).map(Credential::Key),
    })
}

/// The refusal of an application that nothing opens.
pub(crate) fn closed(app_id: &str) -> String {
    format!("nothing opens application {app_id}: set NSL_API_KEY or NSL_TOKEN, or give --key-file FILE")
}

fn credentials(
    place: &Place,
    app: Option<&str>,
    ready: Option<&ReadyFile>,
    settings: &Settings,
) -> anyhow::Result<(String, Credential)> {
    let app_id = match named_app(app, ready)? {
        Some(app_id) => app_id,
        None if place.stack.is_some() || ready.is_none() => bail!("which application? name one"),
        None => bail!("the gateway runs without a demo application: name one"),
    };
    let credential = credential(&app_id, place, ready, settings)?.with_context(|| closed(&app_id))?;
    Ok((app_id, credential))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::DemoApp;
    use std::collections::BTreeMap;

    fn ready(app: Option<DemoApp>) -> ReadyFile {
        ReadyFile {
            ws: "ws://here".to_owned(),
            http: "http://here".to_owned(),
            dynamodb: None,
            management: String::new(),
            region: String::new(),
            outputs: BTreeMap::new(),
            secrets: BTreeMap::new(),
            app,
        }
    }

    fn demo() -> Option<DemoApp> {
        Some(DemoApp { app_id: "demo".to_owned(), api_key: "demo-key".to_owned() })
    }

    fn settings(api_key: Option<&str>) -> Settings {
        Settings { api_key: api_key.map(str::to_owned), ..Settings::default() }
    }

    fn found(
        app: Option<&str>,
        ready: Option<ReadyFile>,
        env: Option<&str>,
    ) -> Result<(String, String), String> {
        let found = credentials(&Place::default(), app, ready.as_ref(), &settings(env));
        found.map(|(app, opens)| (app, opens.text().to_owned())).map_err(|fault| fault.to_string())
    }

    #[test]
    fn ready_files_own_app_needs_no_other_key() {
        let expected = Ok(("demo".to_owned(), "demo-key".to_owned()));
        assert_eq!(found(None, Some(ready(demo())), None), expected);
        assert_eq!(found(Some("demo"), Some(ready(demo())), Some("other")), expected);
    }

    #[test]
    fn another_app_takes_its_key_from_the_environment_and_never_the_demos() {
        assert_eq!(
            found(Some("shop"), Some(ready(demo())), Some("k")),
            Ok(("shop".to_owned(), "k".to_owned()))
        );
        let refusal = found(Some("shop"), Some(ready(demo())), None).unwrap_err();
        assert!(refusal.contains("NSL_API_KEY"), "{refusal}");
    }

    #[test]
    fn a_token_goes_before_every_key_but_that_of_a_file() {
        let settings = Settings { token: Some("t".to_owned()), ..settings(Some("k")) };
        let (app, opens) = credentials(&Place::default(), None, Some(&ready(demo())), &settings).unwrap();
        assert_eq!(app, "demo");
        assert!(opens == Credential::Token("t".to_owned()));
    }

    #[test]
    fn missing_app_is_told() {
        assert!(found(None, Some(ready(None)), Some("k")).unwrap_err().contains("demo application"));
        assert!(found(None, None, Some("k")).unwrap_err().contains("which application"));
    }

    #[test]
    fn no_place_at_all_is_told_in_one_sentence() {
        let fault = Target::of_websocket(&Place::default(), Some("a"), &settings(Some("k"))).unwrap_err();
        assert!(fault.to_string().contains("--local"));
    }

    #[test]
    fn debug_hides_the_key() {
        let credential = Credential::Key("secret".to_owned());
        let target = Target { address: "w".to_owned(), app_id: "a".to_owned(), credential };
        assert!(!format!("{target:?}").contains("secret"));
    }
}
