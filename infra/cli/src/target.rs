//! Which service, which application and which key a command means, out of arguments, ready file and environment.
//!
//! The rule of precedence for the key: the key file, the ready file's own application, the environment.

use crate::args::Place;
use crate::key_file;
use crate::local::{ReadyFile, ready_file_path};
use crate::settings::Settings;
use crate::wire::is_id;
use anyhow::{Context as _, bail, ensure};

/// An application on a service, with the key that opens it. Its `Debug` hides the key.
pub(crate) struct Target {
    /// Address of the API.
    pub(crate) address: String,
    /// The application's id.
    pub(crate) app_id: String,
    /// The application's key.
    pub(crate) api_key: String,
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
        let ready = read_ready_file(place, settings)?;
        let address = place.ws.clone().or_else(|| ready.as_ref().map(|ready| ready.ws.clone()));
        Self::at(
            address
                .context("which service? say --local for the gateway on this machine, or give --ws URL")?,
            place,
            app,
            ready.as_ref(),
            settings,
        )
    }

    /// The target of a command that speaks HTTP.
    pub(crate) fn of_http(place: &Place, app: Option<&str>, settings: &Settings) -> anyhow::Result<Self> {
        let ready = read_ready_file(place, settings)?;
        let address = place.http.clone().or_else(|| ready.as_ref().map(|ready| ready.http.clone()));
        Self::at(
            address
                .context("which service? say --local for the gateway on this machine, or give --http URL")?,
            place,
            app,
            ready.as_ref(),
            settings,
        )
    }

    fn at(
        address: String,
        place: &Place,
        app: Option<&str>,
        ready: Option<&ReadyFile>,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let (app_id, api_key) = credentials(place, app, ready, settings)?;
        Ok(Self { address, app_id, api_key })
    }
}

/// The ready file that the arguments ask for, if they ask for one.
pub(crate) fn read_ready_file(place: &Place, settings: &Settings) -> anyhow::Result<Option<ReadyFile>> {
    let Some(argument) = &place.local else { return Ok(None) };
    let path = ready_file_path(argument.as_ref(), settings.ready_file.as_ref());
    ReadyFile::read(&path).map(Some)
}

fn credentials(
    place: &Place,
    app: Option<&str>,
    ready: Option<&ReadyFile>,
    settings: &Settings,
) -> anyhow::Result<(String, String)> {
    let own = ready.and_then(|ready| ready.app.as_ref());
    let app_id = match (app, own) {
        (Some(app), _) => app.to_owned(),
        (None, Some(own)) => own.app_id.clone(),
        (None, None) if ready.is_some() => bail!("the gateway runs without a demo application: name one"),
        (None, None) => bail!("which application? name one"),
    };
    ensure!(is_id(&app_id), "{app_id:?} is no application's id");
    let own_key = own.filter(|own| own.app_id == app_id).map(|own| own.api_key.clone());
    let key = match &place.key_file {
        Some(path) => Some(key_file::read(path)?),
        None => own_key.or_else(|| settings.api_key.clone()),
    };
    let key = key.with_context(|| {
        format!("no key for application {app_id}: set NSL_API_KEY or give --key-file FILE")
    })?;
    Ok((app_id, key))
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
        credentials(&Place::default(), app, ready.as_ref(), &settings(env)).map_err(|fault| fault.to_string())
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
        let target = Target { address: "w".to_owned(), app_id: "a".to_owned(), api_key: "secret".to_owned() };
        assert!(!format!("{target:?}").contains("secret"));
    }
}
