//! `nsl smoke` with tables only: what it does with applications of other runs.

use crate::gateway::Gateway;
use serde_json::json;

const MINUTE_MS: i64 = 60_000;

/// Puts an application of a smoke test that began so long ago, with a report.
async fn put_app(gateway: &Gateway, id: &str, age_ms: i64) {
    gateway.documents(&format!("app create --app-id {id} --owner nsl-smoke --json")).await;
    #[expect(clippy::disallowed_methods, reason = "the age counts from now")]
    let created = jiff::Timestamp::now().as_millisecond() - age_ms;
    let app = json!({"appId": {"S": id}, "owner": {"S": "nsl-smoke"}, "name": {"S": id}, "status": {"S": "active"},
        "keys": {"L": []}, "legacy": {"BOOL": true}, "shards": {"N": "1"}, "createdAt": {"N": created.to_string()}});
    gateway.put_item("AppsTable", app).await;
    gateway.put("ConnectionsTable", &format!("app#{id}"), "p#a=").await;
}

#[tokio::test]
async fn leftovers_of_killed_runs_are_removed_and_running_ones_kept() {
    let gateway = Gateway::start("smoke").await;
    put_app(&gateway, "smoke-old", 40 * MINUTE_MS).await;
    put_app(&gateway, "smoke-running", MINUTE_MS).await;
    put_app(&gateway, "kept", 40 * MINUTE_MS).await;
    gateway.edit_ready(|ready| ready["ws"] = json!("ws://127.0.0.1:1"));
    let output = gateway.nsl("smoke --settle 0 --skip dashboard,cors,http-wrong-key").await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success(), "nothing serves WebSocket");
    assert!(text.contains(", removed 1 of interrupted runs"), "{text}");
    let left = gateway.documents("app list --owner nsl-smoke --json").await;
    let ids: Vec<_> = left.iter().map(|app| app["appId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["kept", "smoke-running"]);
    assert_eq!(gateway.closed(), ["a="], "that of the leftover");
}

#[tokio::test]
async fn failed_check_shows_what_came_and_where_to_look() {
    let gateway = Gateway::start("smoke-failed").await;
    gateway.edit_ready(|ready| ready["ws"] = json!("ws://127.0.0.1:1"));
    let output = gateway.nsl("smoke --settle 0 --skip dashboard,cors").await;
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("FAILED   viewer")).unwrap();
    assert!(lines[at].contains("expected a connection to ws://127.0.0.1:1"), "{text}");
    assert_eq!(lines[at + 1].trim(), "got connection refused");
    assert!(lines[at + 2].trim().starts_with("look at the lines of authorize in functions.log; "), "{text}");
    assert!(lines.iter().any(|line| line.starts_with("skipped  cors")), "{text}");
    assert!(lines.iter().any(|line| line.starts_with("not run  publish         needs publisher")), "{text}");
    assert!(
        lines.iter().any(|line| line.contains("handshakes") && line.contains("less than a tenth of a cent"))
    );
}
