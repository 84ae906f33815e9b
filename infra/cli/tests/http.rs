//! The commands that ask over HTTP, each as its own process against a server that gives one recorded answer a path.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use std::process::Output;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

const KEY: &str = "nehonix@0000.nsl";

/// A server that answers the path's beginning with a status and a body, and remembers what it was asked.
struct Service {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn start(answers: Vec<(&'static str, u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let head = answer(stream, &answers).await;
                heard.lock().unwrap().push(head);
            }
        });
        Self { address, asked }
    }

    async fn nsl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nsl"));
        command.args(arguments).args(["--http", &self.address]);
        command.env_clear().env("NSL_API_KEY", KEY).output().await.unwrap()
    }

    /// The heads of the requests so far, in lower case.
    fn asked(&self) -> String {
        self.asked.lock().unwrap().join("\n").to_lowercase()
    }
}

/// Answers one request on `stream` and closes it; returns the request's head.
async fn answer(stream: TcpStream, answers: &[(&'static str, u16, String)]) -> String {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.unwrap() > 0, "the request ended early");
    }
    let path = head.split(' ').nth(1).unwrap();
    let (_, status, body) = answers.iter().find(|(start, ..)| path.starts_with(start)).unwrap();
    let length = body.len();
    let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(reply.as_bytes()).await.unwrap();
    head
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn history_is_a_table_asked_for_with_the_key() {
    let body = json!({"appId": "demo", "series": {"cpu.usage":
        {"avg": [10, null, 30], "min": [1, null, 20], "max": [20, null, 40], "count": [1, 0, 1]}}});
    let service = Service::start(vec![("/apps/demo/metrics?", 200, body.to_string())]).await;
    let output = service.nsl(&["history", "demo", "--range", "day", "--series", "cpu.*"]).await;
    let table = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(table.contains("cpu.usage") && table.contains("▁ █"), "{table}");
    let asked = service.asked();
    assert!(asked.contains(&format!("authorization: bearer {KEY}")), "{asked}");
    assert!(asked.contains("timerange=day") && asked.contains("series=cpu.*"), "{asked}");
}

#[tokio::test]
async fn csv_and_json_are_passed_on_as_they_come() {
    let service =
        Service::start(vec![("/apps/demo/metrics?", 200, "time,cpu.usage\n1,2\n".to_owned())]).await;
    let output = service.nsl(&["history", "demo", "--csv", "--from", "1", "--to", "2"]).await;
    assert_eq!(text(&output.stdout), "time,cpu.usage\n1,2\n");
    let asked = service.asked();
    assert!(asked.contains("accept: text/csv") && asked.contains("from=1&to=2"), "{asked}");
}

#[tokio::test]
async fn refusal_is_told_in_one_line_without_the_key() {
    let body = json!({"message": "credentials are wrong", "code": "unauthorized"}).to_string();
    let service = Service::start(vec![("/", 401, body)]).await;
    let output = service.nsl(&["history", "demo"]).await;
    let told = text(&output.stderr);
    assert!(!output.status.success());
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("unauthorized") && !told.contains(KEY), "{told}");
}

#[tokio::test]
async fn status_tells_version_and_sources() {
    let latest = json!({"appId": "demo", "reports": [
        {"source": "box-1", "timestamp": "2026-01-01T00:00:00.000Z", "id": "x", "metrics": {}}]});
    let service = Service::start(vec![
        ("/health", 200, json!({"status": "ok", "version": "9.9.9"}).to_string()),
        ("/apps/demo/metrics/latest", 200, latest.to_string()),
    ])
    .await;
    let told = text(&service.nsl(&["status", "demo"]).await.stdout);
    assert!(told.contains("9.9.9") && told.contains("one source") && told.contains("box-1"), "{told}");
    let document: Value =
        serde_json::from_slice(&service.nsl(&["status", "demo", "--json"]).await.stdout).unwrap();
    assert_eq!(document["sources"][0]["source"], "box-1");
    let asked = service.asked();
    let health = asked.split("get ").find(|head| head.starts_with("/health")).unwrap();
    assert!(!health.contains("bearer"), "it is open to anybody: {health}");
    let told = text(&service.nsl(&["status"]).await.stdout);
    assert!(told.contains("9.9.9") && !told.contains("box-1"), "no application is named: {told}");
}
