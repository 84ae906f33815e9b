//! `nsl history` and `nsl status` against an HTTP server with one fixed response per path.

use crate::fake_service::KEY;
use crate::http_server::HttpServer;
use serde_json::{Value, json};
use std::process::Output;
use tokio::process::Command;

async fn nsl(service: &HttpServer, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsl"));
    command.args(arguments).args(["--http", &service.address]);
    command.env_clear().env("NSL_API_KEY", KEY).output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn history_is_requested_with_the_key_and_shown_as_a_table() {
    let body = json!({"appId": "demo", "series": {"cpu.usage":
        {"avg": [10, null, 30], "min": [1, null, 20], "max": [20, null, 40], "count": [1, 0, 1]},
        "memory.used": {"avg": [7_629_557_760_u64], "count": [1]},
        "queue.bytesInFlight": {"avg": [100], "count": [1]}}});
    let service = HttpServer::start(vec![("/apps/demo/metrics?", 200, body.to_string())]).await;
    let output = nsl(&service, &["history", "demo", "--range", "day", "--series", "cpu.*"]).await;
    let table = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split("  ").map(str::trim).collect()).collect();
    let figures = |row: usize| rows[row].iter().filter(|cell| !cell.is_empty()).copied().collect::<Vec<_>>();
    assert_eq!(figures(1), ["cpu.usage", "20%", "1%", "40%", "30%", "▁ █"], "{table}");
    assert_eq!(figures(2), ["memory.used", "7.11 GiB", "-", "-", "7.11 GiB", "▁"], "{table}");
    assert_eq!(figures(3), ["queue.bytesInFlight", "100", "-", "-", "100", "▁"], "{table}");
    let requests = service.requests();
    assert!(requests.contains(&format!("authorization: bearer {KEY}")), "{requests}");
    assert!(requests.contains("timerange=day") && requests.contains("series=cpu.*"), "{requests}");
}

/// What a terminal would obey: it clears the screen, sets the title, forges a line, reverses text.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\r\nAVG 9\u{202e}\u{9b}\u{7f}";
const SHOWN: &str = "\\u{1b}[2J\\u{1b}]0;x\\u{7}\\r\\nAVG 9\\u{202e}\\u{9b}\\u{7f}";

#[tokio::test]
async fn hostile_series_name_reaches_the_terminal_as_text() {
    let body = json!({"series": {HOSTILE: {"avg": [1], "count": [1]}, "a": {"avg": [2], "count": [1]}}});
    let service = HttpServer::start(vec![("/apps/demo/metrics?", 200, body.to_string())]).await;
    let table = text(&nsl(&service, &["history", "demo", "--series", "*"]).await.stdout);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines.len() == 3 && lines[1].starts_with(SHOWN), "{table:?}");
    assert!(nsl_terminal::is_printable(&table.replace('\n', "")), "{table:?}");
    let columns = |line: &str| line.chars().count();
    assert!(lines.iter().skip(1).all(|line| columns(line) == columns(lines[1])), "{table:?}");
    let document = text(&nsl(&service, &["history", "demo", "--json"]).await.stdout);
    assert!(nsl_terminal::is_printable(document.trim_end()), "{document:?}");
    assert_eq!(serde_json::from_str::<Value>(&document).unwrap(), body);
}

#[tokio::test]
async fn hostile_message_of_a_service_stays_one_line() {
    for body in [json!({"message": HOSTILE, "code": HOSTILE}).to_string(), HOSTILE.to_owned()] {
        let service = HttpServer::start(vec![("/", 500, body)]).await;
        let output = nsl(&service, &["history", "demo"]).await;
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.lines().count() == 1, "{error:?}");
        assert!(nsl_terminal::is_printable(error.trim_end_matches('\n')), "{error:?}");
        assert!(error.contains(SHOWN), "{error:?}");
    }
}

#[tokio::test]
async fn csv_is_printed_unchanged() {
    let csv = "time,cpu.usage,\"a\u{1b}b\"\n1,2,3\n";
    let service = HttpServer::start(vec![("/apps/demo/metrics?", 200, csv.to_owned())]).await;
    let output =
        nsl(&service, &["history", "demo", "--csv", "--from", "1", "--to", "2", "--step", "60"]).await;
    assert_eq!(text(&output.stdout), csv);
    let requests = service.requests();
    assert!(requests.contains("accept: text/csv") && requests.contains("from=1&to=2&step=60"), "{requests}");
}

#[tokio::test]
async fn rejection_is_one_line_without_the_key() {
    let body = json!({"message": "credentials are wrong", "code": "unauthorized"}).to_string();
    let service = HttpServer::start(vec![("/", 401, body)]).await;
    let output = nsl(&service, &["history", "demo"]).await;
    let error = text(&output.stderr);
    assert!(!output.status.success());
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("unauthorized") && !error.contains(KEY), "{error}");
    assert!(service.requests().contains("timerange=hour"), "the default");
}

#[tokio::test]
async fn limited_call_is_made_again_when_it_may_be() {
    let limited =
        || json!({"message": "too many calls with this credential", "code": "rate_limited"}).to_string();
    let csv = ("/apps/demo/metrics?", 200, "time\n1\n".to_owned());
    let service = HttpServer::start(vec![("/", 429, limited()), ("/", 429, limited()), csv]).await;
    assert_eq!(text(&nsl(&service, &["history", "demo", "--csv"]).await.stdout), "time\n1\n");
    let service = HttpServer::start((0..5).map(|_| ("/", 429, limited())).collect()).await;
    let error = text(&nsl(&service, &["history", "demo"]).await.stderr);
    assert!(error.contains("429 rate_limited: too many calls with this credential"), "{error}");
    assert_eq!(service.requests().matches("get /").count(), 4, "three waits");
}

#[tokio::test]
async fn status_shows_version_and_sources() {
    let latest = json!({"appId": "demo", "reports": [
        {"source": "box-1", "timestamp": "2026-01-01T00:00:00.000Z", "id": "x", "metrics": {}}]});
    let service = HttpServer::start(vec![
        ("/health", 200, json!({"status": "ok", "version": "9.9.9"}).to_string()),
        ("/apps/demo/metrics/latest", 200, latest.to_string()),
    ])
    .await;
    let shown = text(&nsl(&service, &["status", "demo"]).await.stdout);
    assert!(shown.contains("9.9.9") && shown.contains("one source") && shown.contains("box-1"), "{shown}");
    let document: Value =
        serde_json::from_slice(&nsl(&service, &["status", "demo", "--json"]).await.stdout).unwrap();
    assert_eq!(document["sources"][0]["source"], "box-1");
    let requests = service.requests();
    let health = requests.split("get ").find(|head| head.starts_with("/health")).unwrap();
    assert!(!health.contains("bearer"), "/health needs no credential: {health}");
    let shown = text(&nsl(&service, &["status"]).await.stdout);
    assert!(shown.contains("9.9.9") && !shown.contains("box-1"), "no application is named: {shown}");
}
