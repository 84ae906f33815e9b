//! Where a run aims and as which applications, out of arguments, ready file, key files and environment.
//!
//! These addresses are the only ones that the load generator ever connects to.

use crate::args::Args;
use crate::settings::Settings;
use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use std::path::Path;

/// A service and the applications to load on it. It holds keys, so it has no `Debug`.
pub(crate) struct Target {
    /// Address of the WebSocket API.
    pub(crate) ws: String,
    /// Address of the HTTP API, where there is one.
    pub(crate) http: Option<String>,
    /// At least one.
    pub(crate) apps: Vec<App>,
}

/// An application with a key that may publish and view. It has no `Debug`, because of the key.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct App {
    pub(crate) app_id: String,
    pub(crate) api_key: String,
}

#[derive(Deserialize)]
struct ReadyFile {
    ws: String,
    #[serde(default)]
    http: Option<String>,
    #[serde(default)]
    app: Option<App>,
}

impl Target {
    /// The target that the arguments name.
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
            "{} is no WebSocket address",
            target.ws
        );
        Ok(target)
    }
}

/// The gateway that runs here, with its demo application or none.
fn of_ready_file(path: &Path, with_demo: bool) -> anyhow::Result<Target> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "no gateway seems to run here (start one with `cargo run`): cannot read ready file {}",
            path.display()
        )
    })?;
    let ready: ReadyFile = serde_json::from_str(&text)
        .with_context(|| format!("cannot understand ready file {}", path.display()))?;
    let http = ready.http.filter(|http| !http.is_empty());
    Ok(Target { ws: ready.ws, http, apps: ready.app.into_iter().filter(|_| with_demo).collect() })
}

fn named_apps(args: &Args, settings: &Settings) -> anyhow::Result<Vec<App>> {
    ensure!(args.app_key_files.len() <= args.app_ids.len(), "there are more --app-key-file than --app");
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
    Ok(text.trim().to_owned())
}

fn listed_apps(path: &Path) -> anyhow::Result<Vec<App>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read applications of {}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            // The parser's own message could repeat a part of the key.
            serde_json::from_str(line).ok().with_context(|| {
                format!("line {} of {} is no application with appId and apiKey", index + 1, path.display())
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn resolved(arguments: &[&str], key: Option<&str>) -> anyhow::Result<Target> {
        let settings = Settings { api_key: key.map(str::to_owned) };
        Target::resolve(&Args::parse_from([&["nsl-load"], arguments].concat()), &settings)
    }

    fn refusal(arguments: &[&str], key: Option<&str>) -> String {
        resolved(arguments, key).err().unwrap().to_string()
    }

    #[test]
    fn an_application_without_a_key_is_refused() {
        let arguments = ["--ws", "ws://127.0.0.1:1", "--app", "a"];
        assert!(refusal(&arguments, None).contains("NSL_API_KEY"));
        let target = resolved(&arguments, Some("k")).unwrap();
        assert_eq!(target.apps.first().unwrap().api_key, "k");
    }

    #[test]
    fn no_application_and_no_websocket_address_are_refused() {
        assert!(refusal(&["--ws", "ws://127.0.0.1:1"], Some("k")).contains("no application"));
        assert!(refusal(&["--ws", "http://127.0.0.1:1", "--app", "a"], Some("k")).contains("no WebSocket"));
    }

    #[test]
    fn applications_are_read_as_the_command_prints_them() {
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
