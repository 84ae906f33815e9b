//! The service and the apps to load, from arguments, ready file, key files and environment. The load generator
//! connects to no other address.

use crate::args::Args;
use anyhow::{Context as _, anyhow, bail, ensure};
use nsl_client::ready_file::ReadyFile;
use nsl_client::settings::Settings;
use serde_json::Deserializer;
use std::path::Path;

/// An app with a key that may publish and view.
pub(crate) use nsl_client::ready_file::AppKey as App;

/// A service and the apps to load. It contains keys, so it has no `Debug`.
pub(crate) struct Target {
    /// Address of the WebSocket API.
    pub(crate) ws: String,
    /// Address of the HTTP API, if there is one.
    pub(crate) http: Option<String>,
    /// At least one.
    pub(crate) apps: Vec<App>,
}

impl Target {
    /// The target that the arguments describe.
    pub(crate) fn resolve(args: &Args, settings: &Settings) -> anyhow::Result<Self> {
        let mut target = match &args.ws {
            Some(ws) => Self { ws: ws.clone(), http: args.http.clone(), apps: named_apps(args, settings)? },
            None => of_ready_file(&args.ready_file, args.apps.is_none())?,
        };
        if let Some(path) = &args.apps {
            target.apps.extend(listed_apps(path)?);
        }
        ensure!(!target.apps.is_empty(), "no application to load: give --app ID or --apps FILE");
        ensure!(
            target.ws.starts_with("ws://") || target.ws.starts_with("wss://"),
            "{} is not a WebSocket address",
            target.ws
        );
        Ok(target)
    }
}

/// The local gateway, with or without its demo app.
fn of_ready_file(path: &Path, with_demo: bool) -> anyhow::Result<Target> {
    let ready = ReadyFile::read(path)?;
    let http = Some(ready.http).filter(|http| !http.is_empty());
    Ok(Target { ws: ready.ws, http, apps: ready.app.into_iter().filter(|_| with_demo).collect() })
}

fn named_apps(args: &Args, settings: &Settings) -> anyhow::Result<Vec<App>> {
    ensure!(args.app_key_files.len() <= args.app_ids.len(), "more --app-key-file than --app");
    let mut apps = Vec::new();
    for (index, app_id) in args.app_ids.iter().enumerate() {
        let api_key = match (args.app_key_files.get(index), &settings.api_key) {
            (Some(path), _) => key_in(path)?,
            (None, Some(key)) => key.clone(),
            (None, None) => bail!("no key for {app_id}: give --app-key-file FILE or set NSL_API_KEY"),
        };
        apps.push(App { app_id: app_id.clone(), api_key });
    }
    Ok(apps)
}

fn key_in(path: &Path) -> anyhow::Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read key file {}", path.display()))?;
    Ok(text.trim_ascii().to_owned())
}

fn listed_apps(path: &Path) -> anyhow::Result<Vec<App>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read applications file {}", path.display()))?;
    let apps = Deserializer::from_str(&text).into_iter().collect::<serde_json::Result<_>>();
    // The parser's message could contain a part of the key.
    apps.map_err(|error| {
        let (line, path) = (error.line(), path.display());
        anyhow!("line {line} of {path} is not an application with appId and apiKey")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn resolved(arguments: &[&str], key: Option<&str>) -> anyhow::Result<Target> {
        let settings = Settings { api_key: key.map(str::to_owned), ..Settings::default() };
        Target::resolve(&Args::parse_from([&["nsl-load"], arguments].concat()), &settings)
    }

    fn error(arguments: &[&str], key: Option<&str>) -> String {
        resolved(arguments, key).err().unwrap().to_string()
    }

    #[test]
    fn application_without_a_key_is_rejected() {
        let arguments = ["--ws", "ws://127.0.0.1:1", "--app", "a"];
        assert!(error(&arguments, None).contains("NSL_API_KEY"));
        let target = resolved(&arguments, Some("k")).unwrap();
        assert_eq!(target.apps.first().unwrap().api_key, "k");
    }

    #[test]
    fn application_and_websocket_address_are_required() {
        assert!(error(&["--ws", "ws://127.0.0.1:1"], Some("k")).contains("no application"));
        assert!(error(&["--ws", "http://127.0.0.1:1", "--app", "a"], Some("k")).contains("not a WebSocket"));
    }

    #[test]
    fn applications_are_read_as_nsl_prints_them() {
        let folder = std::env::temp_dir().join(format!("nsl-load-apps-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("apps.jsonl");
        std::fs::write(&path, "{\"appId\":\"a\",\"userId\":\"u\",\"apiKey\":\"k\",\"created\":true}\n\n")
            .unwrap();
        assert_eq!(listed_apps(&path).unwrap().len(), 1);
        let ready = folder.join("ready.json");
        let demo = "{\"ws\":\"ws://127.0.0.1:1\",\"app\":{\"appId\":\"demo\",\"apiKey\":\"d\"}}";
        std::fs::write(&ready, demo).unwrap();
        let running = ["--ready-file", ready.to_str().unwrap()];
        let listed = [running[0], running[1], "--apps", path.to_str().unwrap()];
        for (arguments, app) in [(&running[..], "demo"), (&listed[..], "a")] {
            let target = resolved(arguments, None).unwrap();
            let ids: Vec<&str> = target.apps.iter().map(|app| app.app_id.as_str()).collect();
            assert_eq!(ids, [app], "the demo application is not loaded beside others");
        }
        std::fs::write(&path, "{\"appId\":\"a\"}\n").unwrap();
        assert!(listed_apps(&path).err().unwrap().to_string().contains("line 1"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
