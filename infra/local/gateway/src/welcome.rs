//! What a user sees first: the addresses, the demo app, commands to try, and `ready` as the last line.

use std::path::Path;

use serde_json::Value as Json;

use crate::console::Console;
use crate::demo::TOOL;
use crate::endpoints::Endpoints;
use crate::options::Options;
use crate::state::{DATABASE_FILE, LOG_FILE, READY_FILE, StateDir};
use crate::template::Plan;

/// Wide enough for the longest label.
const LABEL_WIDTH: usize = 14;

pub(crate) fn print(
    console: &Console,
    options: &Options,
    plan: &Plan,
    endpoints: &Endpoints,
    ready: &Json,
    state: &StateDir,
    functions: &Path,
) {
    let text = |pointer: &str| ready.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
    let line = |label: &str, value: &str| console.print(&format!("  {label:<LABEL_WIDTH$}{value}"));
    let (ws, http) = (text("/ws"), text("/http"));
    let (app, key) = (text("/app/appId"), text("/app/apiKey"));

    console.print(&format!("Running {} functions of {}", plan.functions.len(), options.template.display()));
    console.print("");
    if plan.http.is_some() {
        // Browsers do not send the fragment, which has the key, to the server.
        line("dashboard", &format!("{http}/#key={key}&app={app}  (open it in a browser)"));
        line("HTTP API", &format!("{http}  (also {http}{})", options.http_base_path));
    }
    if plan.websocket.is_some() {
        line("WebSocket API", ws);
    }
    let data = match (&options.dynamodb, options.memory) {
        (Some(_), _) => "not started by this gateway".to_owned(),
        (None, true) => "data in memory only".to_owned(),
        (None, false) => format!("data in {}", relative(&state.file(DATABASE_FILE))),
    };
    line("DynamoDB", &format!("{}  ({data})", endpoints.dynamodb));
    line("@connections", text("/management"));
    let log = relative(&state.file(LOG_FILE));
    line("log", &format!("{log}  (all output of the functions; warnings and errors appear here too)"));
    console.print("");
    line("demo app", app);
    line("user id", text("/app/userId"));
    line("API key", key);
    if options.no_demo {
        line("demo agent", "off");
    } else {
        line("demo agent", "sends this machine's metrics to the demo app (turn it off with --no-demo)");
    }
    console.print("");
    console.print("Try it in another terminal:");
    console.print("");
    let (tool, ready_file) = (relative(&functions.join(TOOL)), relative(&state.file(READY_FILE)));
    line("live", &format!("{tool} tail --local {ready_file}"));
    let subscribe = format!(r#"{{"type":"subscribe","data":{{"appId":"{app}"}}}}"#);
    line("raw frames", &format!("npx wscat -c {ws} -H 'x-api-key: {key}' -w 60 -x '{subscribe}'"));
    line(
        "history",
        &format!("curl -H 'Authorization: Bearer {key}' '{http}/apps/{app}/metrics?timeRange=hour'"),
    );
    console.print("");
    console.print("Stop it with Ctrl-C.");
    console.print("ready");
}

/// A path relative to the working directory, as the user would type it.
fn relative(path: &Path) -> String {
    let current = std::env::current_dir().and_then(|current| current.canonicalize()).unwrap_or_default();
    path.strip_prefix(&current).unwrap_or(path).display().to_string()
}
