//! `nsl smoke` against a gateway: what it finds on a good one and on broken ones, and that it leaves nothing.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::system::harness::{Gateway, nsl, nsl_command};

/// The user who owns the temporary applications.
const OWNER: &str = "nsl-smoke";

/// The outcomes by check, and the summary.
struct Outcomes {
    checks: Vec<Value>,
    summary: Value,
    succeeded: bool,
}

impl Outcomes {
    fn read(output: &Output) -> Self {
        let printed = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|cause| panic!("{cause}: {line}"));
        let mut checks: Vec<Value> = printed.lines().map(parse).collect();
        let summary = checks.pop().unwrap_or_else(|| panic!("no output: {error}"));
        Self { checks, summary, succeeded: output.status.success() }
    }

    fn of(&self, check: &str) -> &Value {
        let found = self.checks.iter().find(|outcome| outcome["check"] == check);
        found.unwrap_or_else(|| panic!("no outcome of {check}: {:?}", self.checks))
    }

    fn with(&self, outcome: &str) -> Vec<&str> {
        let fitting = self.checks.iter().filter(|check| check["outcome"] == outcome);
        fitting.filter_map(|check| check["check"].as_str()).collect()
    }
}

async fn gateway(window: &str) -> Gateway {
    Gateway::start(&["--memory", "--no-demo", "--stream-window", window]).await
}

/// Runs the command with these arguments, without waiting for rollups that are being computed at its end.
async fn smoke(gateway: &Gateway, arguments: &[&str]) -> Outcomes {
    let mut command = nsl_command(gateway, &[&["smoke", "--settle", "0"], arguments].concat());
    Outcomes::read(&command.output().await.expect("nsl starts"))
}

async fn assert_nothing_is_left(gateway: &Gateway) {
    let mut command = nsl_command(gateway, &["app", "list", "--owner", OWNER]);
    let listed = command.output().await.expect("nsl starts");
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "");
}

#[tokio::test]
async fn good_service_passes_every_check_and_keeps_nothing() {
    let gateway = gateway("0").await;
    let outcomes = smoke(&gateway, &[]).await;
    assert!(outcomes.succeeded, "{:?}", outcomes.checks);
    assert_eq!((outcomes.with("ok").len(), &outcomes.summary["passed"]), (20, &20.into()));
    assert_eq!((&outcomes.summary["failed"], &outcomes.summary["leftOut"]), (&0.into(), &0.into()));
    assert_nothing_is_left(&gateway).await;
    assert!(gateway.interrupt().await.success());
}

#[tokio::test]
async fn skipped_checks_are_shown_as_skipped() {
    let gateway = gateway("0").await;
    let outcomes = smoke(&gateway, &["--skip", "cors,wrong-key", "--skip", "subprotocol"]).await;
    assert!(outcomes.succeeded, "{:?}", outcomes.checks);
    assert_eq!(outcomes.with("skipped"), ["cors", "wrong-key", "subprotocol"]);
    assert_eq!(outcomes.summary["leftOut"], 3);
}

#[tokio::test]
async fn only_rollups_fail_where_the_stream_stands_still() {
    let gateway = gateway("3600").await;
    let outcomes = smoke(&gateway, &["--rollup-wait", "1"]).await;
    assert!(!outcomes.succeeded);
    assert_eq!(outcomes.with("failed"), ["rollups"]);
    let rollups = outcomes.of("rollups");
    assert_eq!(rollups["expected"], "smoke.late: count 1, sum 4");
    assert!(rollups["got"].as_str().is_some_and(|got| got.starts_with("count 0, sum 0")), "{rollups}");
    assert!(
        rollups["look"].as_str().is_some_and(|look| look.contains("rollup in functions.log")),
        "{rollups}"
    );
    assert_nothing_is_left(&gateway).await;
}

#[tokio::test]
async fn unreachable_http_api_leaves_the_other_checks() {
    let gateway = gateway("0").await;
    let outcomes = smoke(&gateway, &["--http", "http://127.0.0.1:1"]).await;
    assert!(!outcomes.succeeded);
    assert_eq!(outcomes.with("failed"), ["health"]);
    let got = outcomes.of("health")["got"].as_str().unwrap_or_default().to_owned();
    assert!(got.contains("cannot connect to http://127.0.0.1:1/health"), "{got}");
    assert_eq!(
        outcomes.with("not run"),
        ["dashboard", "cors", "http-wrong-key", "latest", "history", "rollups"]
    );
    assert_eq!(outcomes.of("delivery")["outcome"], "ok");
    assert_nothing_is_left(&gateway).await;
}

#[tokio::test]
async fn unreachable_websocket_api_fails_what_needs_it() {
    let gateway = gateway("0").await;
    let outcomes = smoke(&gateway, &["--ws", "ws://127.0.0.1:1"]).await;
    assert!(!outcomes.succeeded);
    let failed = ["wrong-key", "subprotocol", "viewer", "publisher", "legacy", "revoked-key"];
    assert_eq!(outcomes.with("failed"), failed);
    assert!(outcomes.of("viewer")["got"].as_str().is_some_and(|got| got.contains("connection refused")));
    let not_run = ["publish", "duplicate", "malformed", "delivery", "latest", "history", "rollups"];
    assert_eq!(outcomes.with("not run"), not_run);
    assert_nothing_is_left(&gateway).await;
}

#[tokio::test]
async fn wrong_table_ends_the_test_with_its_name() {
    let gateway = gateway("0").await;
    let text = std::fs::read_to_string(gateway.ready_file()).expect("the ready file");
    let mut ready: Value = serde_json::from_str(&text).expect("the ready file is JSON");
    ready["outputs"]["AppsTable"] = "NoSuchTable".into();
    std::fs::write(gateway.ready_file(), ready.to_string()).expect("the ready file is written");
    let outcomes = smoke(&gateway, &[]).await;
    assert!(!outcomes.succeeded);
    assert!(outcomes.with("failed").contains(&"app"), "{:?}", outcomes.checks);
    assert_eq!(outcomes.with("not run").len(), 14);
    let got = outcomes.of("app")["got"].as_str().unwrap_or_default().to_owned();
    assert!(got.contains("ResourceNotFoundException"), "{got}");
}

#[tokio::test]
async fn interrupted_test_deletes_its_application() {
    let gateway = gateway("3600").await;
    let mut command = nsl_command(&gateway, &["smoke", "--settle", "0", "--rollup-wait", "600"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("nsl starts");
    let stdout = child.stdout.take().expect("its output is piped");
    let mut lines = BufReader::new(stdout).lines();
    // The next check waits for a rollup that never comes.
    while let Some(line) = lines.next_line().await.expect("its output is text") {
        if line.contains("\"history\"") {
            break;
        }
    }
    let listed = nsl(&gateway, &["app", "list", "--owner", OWNER]).await;
    assert!(listed["appId"].as_str().is_some_and(|id| id.starts_with("smoke-")), "{listed}");
    let pid = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.expect("kill starts").success());
    let mut rest = Vec::new();
    while let Some(line) = lines.next_line().await.expect("its output is text") {
        rest.push(line);
    }
    assert!(rest.iter().any(|line| line.contains("\"cleanup\"") && line.contains("\"ok\"")), "{rest:?}");
    let status = tokio::time::timeout(Duration::from_secs(20), child.wait()).await.expect("it ends");
    assert!(!status.expect("it can be waited for").success());
    assert_nothing_is_left(&gateway).await;
}
