//! What the commands use of a local gateway: tables, the `@connections` API, a ready file.

use crate::http_server::HttpServer;
use nsl_test_support::{Behaviour, TestEnvironment};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Signs the tokens of these tests.
pub(crate) const SECRET: &str = "thirty-two bytes and a few beyond";

/// A gateway, which ends with its test.
pub(crate) struct Gateway {
    pub(crate) folder: PathBuf,
    env: TestEnvironment,
    /// Environment variables of every command.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Gateway {
    pub(crate) async fn start(name: &str) -> Self {
        let env = TestEnvironment::start().await;
        let health = r#"{"status":"ok","version":"9.9.9"}"#.to_owned();
        let http = HttpServer::start(vec![("/health", 200, health)]).await;
        let folder = std::env::temp_dir().join(format!("nsl-apps-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let tables = ["AppsTable", "ConnectionsTable", "ReportsTable", "RollupsTable", "LogsTable"];
        let outputs = tables.map(|id| (id.to_owned(), json!(env.table(id)))).into_iter().collect::<Value>();
        let ready = json!({"ws": "ws://unused", "http": http.address, "dynamodb": env.dynamodb.url(),
            "management": env.connections.url(), "region": TestEnvironment::REGION,
            "secrets": {"TokenSecret": SECRET}, "outputs": outputs});
        std::fs::write(folder.join("ready.json"), ready.to_string()).unwrap();
        Self { folder, env, variables: Vec::new() }
    }

    /// A gateway with the app `shop`.
    pub(crate) async fn with_shop(name: &str) -> Self {
        let gateway = Self::start(name).await;
        gateway.documents("app create --app-id shop --json").await;
        gateway
    }

    /// The ready file.
    pub(crate) fn ready(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.join("ready.json")).unwrap()).unwrap()
    }

    /// Changes the ready file.
    pub(crate) fn edit_ready(&self, edit: impl FnOnce(&mut Value)) {
        let mut ready = self.ready();
        edit(&mut ready);
        std::fs::write(self.folder.join("ready.json"), ready.to_string()).unwrap();
    }

    /// Runs the command with `--local` and this gateway's ready file, unless it names a stack.
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
        command.args(arguments.split(' '));
        if !arguments.contains("--stack") {
            command.arg("--local").arg(self.folder.join("ready.json"));
        }
        command.current_dir(&self.folder).env_clear().envs(self.variables.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The lines of JSON that the command prints.
    pub(crate) async fn documents(&self, arguments: &str) -> Vec<Value> {
        self.text(arguments).await.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The first of them.
    pub(crate) async fn document(&self, arguments: &str) -> Value {
        self.documents(arguments).await.remove(0)
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
    pub(crate) async fn put(&self, table: &str, pk: &str, sk: &str) {
        self.put_with(table, pk, sk, &json!({})).await;
    }

    /// Puts a row with more attributes.
    pub(crate) async fn put_with(&self, table: &str, pk: &str, sk: &str, more: &Value) {
        let mut item = more.clone();
        item["pk"] = json!({"S": pk});
        item["sk"] = json!({"S": sk});
        item["expiresAt"] = json!({"N": "9999999999"});
        self.put_item(table, item).await;
    }

    /// Puts a row in DynamoDB's JSON.
    pub(crate) async fn put_item(&self, table: &str, item: Value) {
        self.env.put(table, item).await;
    }

    /// Number of items in a table.
    pub(crate) async fn count(&self, table: &str) -> usize {
        self.env.rows(table).await.len()
    }

    /// Waits until a table has `count` items.
    pub(crate) async fn until_count(&self, table: &str, count: usize) {
        while self.count(table).await != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets every attempt to close `connection` fail.
    pub(crate) fn keep_open(&self, connection: &str) {
        self.env.connections.set_behaviour(connection, Behaviour::Forbidden);
    }

    /// The connections that commands have tried to close since the last call, sorted.
    pub(crate) fn closed(&self) -> Vec<String> {
        let closings = self.env.take_calls().into_iter().filter(|call| call.operation == "DELETE");
        let mut closed: Vec<String> = closings.map(|call| call.target).collect();
        closed.sort();
        closed
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
