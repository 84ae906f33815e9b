//! The first thing that a user sees: what is served where, the demo app, how to try it, `ready`.

use std::path::Path;

use serde_json::Value as Json;

use crate::Options;
use crate::console::Console;
use crate::dynamodb::DATABASE_FILE;
use crate::endpoints::Endpoints;
use crate::run::LOG_FILE;
use crate::state::StateDir;
use crate::template::Plan;

/// Wide enough for the longest label.
const LABEL_WIDTH: usize = 14;

/// Prints the endpoints and, as the last line, `ready`.
pub(crate) fn print(
    console: &Console,
    options: &Options,
    plan: &Plan,
    endpoints: &Endpoints,
    document: &Json,
    state: &StateDir,
) {
    let text = |pointer: &str| document.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
    let line = |label: &str, value: &str| console.say(&format!("  {label:<LABEL_WIDTH$}{value}"));
    let (ws, http) = (text("/ws"), text("/http"));
    let (app, key) = (text("/app/appId"), text("/app/apiKey"));

    console.say(&format!("{} functions of {}", plan.functions.len(), options.template.display()));
    console.say("");
    if plan.websocket.is_some() {
        line("WebSocket", ws);
    }
    if plan.http.is_some() {
        line("HTTP", &format!("{http}  (also {http}{})", options.http_base_path));
        // The key stands in the fragment, which no browser sends to a server.
        line("dashboard", &format!("{http}/#key={key}&app={app}"));
    }
    let data = match (&options.dynamodb, options.memory) {
        (Some(_), _) => "not the gateway's own".to_owned(),
        (None, true) => "in memory".to_owned(),
        (None, false) => shown(&state.file(DATABASE_FILE)),
    };
    line("DynamoDB", &format!("{}  ({data})", endpoints.dynamodb));
    line("@connections", text("/management"));
    let log = shown(&state.file(LOG_FILE));
    line("log", &format!("{log}  (all that functions write; their warnings appear here too)"));
    console.say("");
    line("demo app", app);
    line("user id", text("/app/userId"));
    line("API key", key);
    if options.no_demo {
        line("agent", "off");
    } else {
        line("agent", "reports this machine's metrics to the demo app (--no-demo turns it off)");
    }
    console.say("");
    line(
        "history",
        &format!("curl -H 'Authorization: Bearer {key}' '{http}/apps/{app}/metrics?timeRange=hour'"),
    );
    let subscribe = format!(r#"{{"type":"subscribe","data":{{"appId":"{app}"}}}}"#);
    line("live", &format!("npx wscat -c {ws} -H 'x-api-key: {key}' -w 60 -x '{subscribe}'"));
    console.say("");
    console.say("ready");
}

/// A path as seen from the working directory, which is how the user types it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}
