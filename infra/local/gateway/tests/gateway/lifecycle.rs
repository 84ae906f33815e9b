//! Startup and shutdown: the ready file, the demo app, draining, no process left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Gateway, Scratch, alive, children, command, eventually, fixture};

#[tokio::test]
async fn ready_file_has_all_addresses_and_is_removed_at_shutdown() {
    let mut gateway = Gateway::start(&[]);
    let ready = gateway.ready.clone();
    let (ws, http) = (gateway.address("ws"), gateway.address("http"));
    let management = gateway.address("management");
    assert!(ws.starts_with("ws://127.0.0.1:") && http.starts_with("http://127.0.0.1:"));
    assert!(management.ends_with("/test"));
    assert_eq!(ready["region"], "us-east-1");
    assert_eq!(
        ready["app"],
        json!({ "appId": "demo", "userId": "owner", "apiKey": "full-key", "viewKey": "view-key" })
    );
    assert_eq!(
        ready["outputs"],
        json!({ "WebSocketAddress": format!("{ws}/test"), "HttpAddress": http, "ManagementEndpoint": management,
                "Table": "ThingsTable" })
    );
    let path = gateway.scratch.path("ready.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let calls = fs::read_to_string(gateway.scratch.path("bin/tool-calls")).unwrap();
    assert!(calls.contains("app create --demo --json --local") && calls.contains("demo-view-key"), "{calls}");
    assert!(!calls.contains("agent"), "--no-demo turns the agent off");
    let printed = gateway.printed.join("\n");
    assert!(!printed.contains("full-key"), "{printed}");
    assert_eq!(printed.matches("view-key").count(), 1);
    for text in
        [ws.as_str(), &http, "demo", "owner", "#key=view-key&app=demo", "demo-key", "curl", "tail --local"]
    {
        assert!(printed.contains(text), "{text} is missing:\n{printed}");
    }
    gateway.signal(Signal::TERM);
    assert!(gateway.exit().await.success());
    assert!(!path.exists());
}

#[tokio::test]
async fn shutdown_closes_connections_and_finishes_requests() {
    let mut gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    client.send(r#"{"type":"ask","do":"pid"}"#).await;
    client.text().await;
    let functions = children(&gateway);
    assert!(functions.len() >= 3, "each function has a process: {functions:?}");
    let slow = reqwest::Client::new().post(format!("{}/rest/slow", gateway.address("http")));
    let slow = tokio::spawn(slow.body(r#"{"do":"sleep","ms":700}"#).send());
    client.send(r#"{"type":"ask","do":"sleep","ms":300}"#).await;
    eventually("both are under way", || (children(&gateway).len() > functions.len()).then_some(())).await;
    gateway.signal(Signal::INT);
    assert_eq!(client.close_code().await, 1001);
    assert!(slow.await.unwrap().unwrap().text().await.unwrap().starts_with("slept"), "requests are finished");
    assert!(gateway.exit().await.success());
    let end = gateway.recorded(|event| event["requestContext"]["eventType"] == "DISCONNECT").await;
    assert_eq!(end["requestContext"]["disconnectStatusCode"], 1001);
    assert!(functions.iter().all(|pid| !alive(*pid)), "no function is left");
}

#[tokio::test]
async fn second_signal_ends_at_once() {
    let mut gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    client.send(r#"{"type":"notify","do":"sleep","ms":60000,"announce":true}"#).await;
    assert_eq!(client.text().await, "begun");
    let functions = children(&gateway);
    gateway.signal(Signal::INT);
    assert_eq!(client.close_code().await, 1001);
    gateway.signal(Signal::INT);
    assert_eq!(gateway.exit().await.code(), Some(130));
    eventually("no orphan is left", || functions.iter().all(|pid| !alive(*pid)).then_some(())).await;
}

#[tokio::test]
async fn killed_gateway_leaves_no_process() {
    let mut gateway = Gateway::start(&["--demo"]);
    let mut client = gateway.connect().await;
    // One function is inside its handler, where it does not notice that its Runtime API is gone.
    client.send(r#"{"type":"notify","do":"sleep","ms":60000,"announce":true}"#).await;
    assert_eq!(client.text().await, "begun");
    let called = || fs::read_to_string(gateway.scratch.path("bin/tool-calls")).unwrap().contains(" agent ");
    eventually("the agent runs", || called().then_some(())).await;
    let started = children(&gateway);
    assert!(started.len() >= 4, "functions and the agent: {started:?}");
    gateway.child.kill().unwrap();
    gateway.exit().await;
    eventually("no orphan is left", || started.iter().all(|pid| !alive(*pid)).then_some(())).await;
}

#[tokio::test]
async fn demo_agent_gets_the_ready_file_and_ends_with_the_gateway() {
    let mut gateway = Gateway::start(&["--demo"]);
    let calls = || fs::read_to_string(gateway.scratch.path("bin/tool-calls")).unwrap();
    let line = eventually("the agent is called", || {
        calls().lines().find(|line| line.contains(" agent ")).map(str::to_owned)
    });
    let line = line.await;
    let local: Value = serde_json::from_slice(&fs::read(line.rsplit(' ').next().unwrap()).unwrap()).unwrap();
    assert_eq!(local, gateway.ready);
    let started = children(&gateway);
    gateway.signal(Signal::TERM);
    assert!(gateway.exit().await.success());
    assert!(started.iter().all(|pid| !alive(*pid)));
}

#[tokio::test]
async fn files_in_an_existing_folder_are_private() {
    let scratch = Arc::new(Scratch::new());
    let data = scratch.path("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    // As an older version left it.
    fs::write(data.join("functions.log"), "old").unwrap();
    fs::set_permissions(data.join("functions.log"), fs::Permissions::from_mode(0o666)).unwrap();
    let gateway = Gateway::start_in(scratch, &fixture(), &["--data", "data"]);
    gateway.dynamodb("PutItem", &json!({ "TableName": "ThingsTable", "Item": { "pk": { "S": "a" } } })).await;
    let wal = || data.join("dynamodb.sqlite-wal").exists().then_some(());
    eventually("the engine has written", wal).await;
    for entry in fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        // A file that is renamed meanwhile is gone.
        let mode = entry.metadata().map(|file| file.permissions().mode()).unwrap_or_default();
        assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn data_is_kept_and_its_directory_is_locked() {
    let put = json!({ "TableName": "ThingsTable", "Item": { "pk": { "S": "a" } } });
    let get = json!({ "TableName": "ThingsTable", "Key": { "pk": { "S": "a" } } });
    let mut gateway = Gateway::start_persistent(&fixture(), &[]);
    assert!(gateway.scratch.path("data/ready.json").exists());
    assert!(gateway.scratch.path("data/functions.log").exists());
    gateway.dynamodb("PutItem", &put).await;
    let table = gateway.dynamodb("DescribeTable", &json!({ "TableName": "ThingsTable" })).await;
    assert_eq!(table["Table"]["GlobalSecondaryIndexes"][0]["IndexName"], "byOther");
    assert_eq!(table["Table"]["StreamSpecification"]["StreamViewType"], "NEW_IMAGE");
    let ttl = gateway.dynamodb("DescribeTimeToLive", &json!({ "TableName": "ThingsTable" })).await;
    assert_eq!(ttl["TimeToLiveDescription"]["AttributeName"], "expiresAt");

    let data = gateway.scratch.path("data").display().to_string();
    let second = command(&Scratch::new(), &fixture(), &["--data", &data]).output().unwrap();
    assert!(String::from_utf8_lossy(&second.stderr).contains("another gateway uses"));

    gateway.stop().await;
    assert!(!gateway.scratch.path("data/ready.json").exists());
    // The ready file of a killed gateway is removed at startup.
    let stale = gateway.scratch.path("ready.json");
    fs::write(&stale, "{}").unwrap();
    let flags = ["--data", "data", "--dynamodb", "http://[::1]:1"];
    let failed = command(&gateway.scratch, &fixture(), &flags).output().unwrap();
    assert!(!failed.status.success() && !stale.exists());
    let found = gateway.start_again(&fixture()).dynamodb("GetItem", &get).await;
    assert_eq!(found["Item"]["pk"]["S"], "a");
}
