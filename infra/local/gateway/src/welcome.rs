//! What a user sees first: a link to the dashboard, the addresses, where the key is, two commands to try, and `ready` as
//! the last line. The only key in it is one that can view: terminals are shared and recorded.

use std::path::Path;

use serde_json::Value as Json;

use crate::console::Console;
use crate::demo::TOOL;
use crate::options::Options;
use crate::state::{KEY_FILE, LOG_FILE, READY_FILE, StateDir};
use crate::template::Plan;

/// Wide enough for the longest label.
const LABEL_WIDTH: usize = 15;
/// Where `nsl --local` looks for the ready file.
const DEFAULT_READY_FILE: &str = ".nsl/ready.json";

pub(crate) fn print(
    console: &Console,
    options: &Options,
    plan: &Plan,
    ready: &Json,
    state: &StateDir,
    functions: &Path,
) {
    let text = |pointer: &str| ready.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
    let line = |label: &str, value: &str| console.print(&format!("  {label:<LABEL_WIDTH$}{value}"));
    let (http, app, view_key) = (text("/http"), text("/app/appId"), text("/app/viewKey"));
    let (key_file, ready_file) = (relative(&state.file(KEY_FILE)), relative(&state.file(READY_FILE)));

    console.print(&format!("Running {} functions of {}", plan.functions.len(), options.template.display()));
    console.print("");
    if plan.http.is_some() {
        // Browsers do not send the fragment, which has the key, to the server.
        line("dashboard", &format!("{http}/#key={view_key}&app={app}"));
        line("HTTP API", http);
    }
    if plan.websocket.is_some() {
        line("WebSocket API", text("/ws"));
    }
    let agent = if options.no_demo { "" } else { "; reports this machine, off with --no-demo" };
    line("demo app", &format!("{app}  (user {}{agent})", text("/app/userId")));
    line(
        "API key",
        &format!("{key_file}  (can send and view; the key in the dashboard's link can only view)"),
    );
    let folder = relative(&state.file("."));
    let data = match (&options.dynamodb, options.memory) {
        (Some(url), _) => format!("{url}  (addresses and log in {folder})"),
        (None, true) => format!("in memory  (addresses and log in {folder})"),
        (None, false) => format!("{folder}  (with addresses in {READY_FILE}, log in {LOG_FILE})"),
    };
    line("data", &data);
    console.print("");
    console.print("Try in another terminal:");
    console.print("");
    let tool = relative(&functions.join(TOOL));
    match ready_file.as_str() {
        DEFAULT_READY_FILE => console.print(&format!("  {tool} tail --local")),
        path => console.print(&format!("  {tool} tail --local {path}")),
    }
    console.print(&format!(
        "  curl -H \"Authorization: Bearer $(cat {key_file})\" '{http}/apps/{app}/metrics?timeRange=hour'"
    ));
    console.print("");
    console.print("Stop with Ctrl-C.");
    console.print("ready");
}

/// A path relative to the working directory, as the user would type it.
fn relative(path: &Path) -> String {
    let current = std::env::current_dir().and_then(|current| current.canonicalize()).unwrap_or_default();
    let path = path.strip_prefix(&current).unwrap_or(path);
    path.components().as_path().display().to_string()
}
