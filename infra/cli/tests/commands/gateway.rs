//! What the commands use of a local gateway: tables, the `@connections` API, a ready file.

use crate::http_server;
use dynoxide::Database;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::oneshot;

/// Signs the tokens of these tests.
pub(crate) const SECRET: &str = "thirty-two bytes and a few beyond";

/// A gateway, which ends with its test.
pub(crate) struct Gateway {
    pub(crate) folder: PathBuf,
    database: Database,
    closed: Arc<Mutex<Vec<String>>>,
    _stop: oneshot::Sender<()>,
}

impl Gateway {
    pub(crate) async fn start(name: &str) -> Self {
        let database = Database::memory().unwrap();
        let rows = ["connections", "reports", "rollups", "logs"].map(rows_table);
        for table in std::iter::once(apps_table()).chain(rows) {
            database.create_table(serde_json::from_value(table).unwrap()).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database.clone(), stopped));
        let (management, closed) = serve_connections().await;

        let folder = std::env::temp_dir().join(format!("nsl-apps-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let ready = json!({"ws": "ws://unused", "http": management, "dynamodb": endpoint,
            "management": management, "region": "us-east-1", "secrets": {"TokenSecret": SECRET},
            "outputs": {"AppsTable": "apps", "ConnectionsTable": "connections", "ReportsTable": "reports",
                "RollupsTable": "rollups", "LogsTable": "logs"}});
        std::fs::write(folder.join("ready.json"), ready.to_string()).unwrap();
        Self { folder, database, closed, _stop: stop }
    }

    /// Adds an output to the ready file.
    pub(crate) fn add_output(&self, output: &str, value: &str) {
        let path = self.folder.join("ready.json");
        let mut ready: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        ready.pointer_mut("/outputs").unwrap()[output] = json!(value);
        std::fs::write(path, ready.to_string()).unwrap();
    }

    /// Runs the command with `--local` and this gateway's ready file.
    pub(crate) async fn nsl(&self, arguments: &str) -> Output {
        self.nsl_with(arguments, &[], "").await
    }

    /// Runs the command with these variables and this stdin.
    pub(crate) async fn nsl_with(&self, arguments: &str, variables: &[(&str, &str)], stdin: &str) -> Output {
        let mut child = self.command(arguments).envs(variables.iter().copied()).spawn().unwrap();
        // A command that does not read stdin may have ended already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes()).await;
        child.wait_with_output().await.unwrap()
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nsl"));
        command.args(arguments.split(' ')).arg("--local").arg(self.folder.join("ready.json"));
        command.current_dir(&self.folder).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The lines of JSON that the command prints.
    pub(crate) async fn documents(&self, arguments: &str) -> Vec<Value> {
        self.text(arguments).await.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The output of a command that succeeds.
    pub(crate) async fn text(&self, arguments: &str) -> String {
        let output = self.nsl(arguments).await;
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The error of a command that fails.
    pub(crate) async fn error(&self, arguments: &str) -> String {
        let output = self.nsl(arguments).await;
        assert!(!output.status.success(), "{arguments} succeeded");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Puts a row.
    pub(crate) fn put(&self, table: &str, pk: &str, sk: &str) {
        self.put_with(table, pk, sk, &json!({}));
    }

    /// Puts a row with more attributes.
    pub(crate) fn put_with(&self, table: &str, pk: &str, sk: &str, more: &Value) {
        let mut item = more.as_object().unwrap().clone();
        item.insert("pk".to_owned(), json!({"S": pk}));
        item.insert("sk".to_owned(), json!({"S": sk}));
        item.insert("expiresAt".to_owned(), json!({"N": "9999999999"}));
        self.put_item(table, item.into());
    }

    /// Puts a row in DynamoDB's JSON.
    pub(crate) fn put_item(&self, table: &str, item: Value) {
        let put = json!({"TableName": table, "Item": item});
        self.database.put_item(serde_json::from_value(put).unwrap()).unwrap();
    }

    /// Number of items in a table.
    pub(crate) fn count(&self, table: &str) -> usize {
        let scan = serde_json::from_value(json!({"TableName": table})).unwrap();
        let found = serde_json::to_value(self.database.scan(scan).unwrap()).unwrap();
        found.get("Items").and_then(Value::as_array).unwrap().len()
    }

    /// Waits until a table has `count` items.
    pub(crate) async fn until_count(&self, table: &str, count: usize) {
        while self.count(table) != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The closed connections, sorted.
    pub(crate) fn closed(&self) -> Vec<String> {
        let mut closed = self.closed.lock().unwrap().clone();
        closed.sort();
        closed
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Prefix of connections that cannot be closed.
const STUCK: &str = "stuck";

/// Serves the `@connections` API, which records closed connections, and the service's health.
async fn serve_connections() -> (String, Arc<Mutex<Vec<String>>>) {
    let closed = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&closed);
    let address = http_server::serve(move |head| {
        let connection = http_server::path(head).rsplit('/').next().unwrap().replace("%3D", "=");
        if head.starts_with("DELETE ") && !connection.starts_with(STUCK) {
            recorded.lock().unwrap().push(connection);
            return (204, String::new());
        }
        if head.starts_with("GET /live/health ") {
            return (200, r#"{"status":"ok","version":"9.9.9"}"#.to_owned());
        }
        (403, String::new())
    });
    (format!("{}/live", address.await), closed)
}

fn apps_table() -> Value {
    json!({
        "TableName": "apps",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "appId", "AttributeType": "S"}, {"AttributeName": "owner", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "appId", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [{
            "IndexName": "byOwner",
            "KeySchema": [
                {"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "appId", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["name", "status"]}}],
    })
}

fn rows_table(name: &str) -> Value {
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    })
}
