//! `nsl app` as its own process against an embedded DynamoDB, found by a ready file as a gateway writes it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dynoxide::Database;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::oneshot;

/// A local gateway, as far as these commands see one. Ends with the test.
struct Gateway {
    folder: PathBuf,
    _stop: oneshot::Sender<()>,
}

impl Gateway {
    async fn start(name: &str) -> Self {
        let database = Database::memory().unwrap();
        database.create_table(serde_json::from_value(apps_table()).unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, stopped));

        let folder = std::env::temp_dir().join(format!("nsl-apps-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let ready = json!({"ws": "ws://unused", "http": "http://unused", "dynamodb": endpoint,
            "management": "http://unused", "region": "us-east-1", "outputs": {"AppsTable": "apps"}});
        std::fs::write(folder.join("ready.json"), ready.to_string()).unwrap();
        Self { folder, _stop: stop }
    }

    /// Runs the command with `--local` and this gateway's ready file.
    async fn nsl(&self, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nsl"));
        command.args(arguments.split(' ')).arg("--local").arg(self.folder.join("ready.json"));
        command.current_dir(&self.folder).env_clear().output().await.unwrap()
    }

    /// Runs the command and reads its lines of JSON.
    async fn documents(&self, arguments: &str) -> Vec<Value> {
        let output = self.nsl(arguments).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
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

#[tokio::test]
async fn demo_is_made_once_and_found_ever_after() {
    let gateway = Gateway::start("demo").await;
    let demo = "app create --demo --json --key-file data/demo.key";
    let first = gateway.documents(demo).await.remove(0);
    assert_eq!(
        (&first["appId"], &first["userId"], &first["name"], &first["legacy"], &first["created"]),
        (&json!("demo"), &json!("demo-user"), &json!("Demo"), &json!(true), &json!(true))
    );
    let stored = std::fs::read_to_string(gateway.folder.join("data/demo.key")).unwrap();
    assert_eq!(first["apiKey"], stored.trim());

    let second = gateway.documents(demo).await.remove(0);
    assert_eq!((&second["apiKey"], &second["created"]), (&first["apiKey"], &json!(false)));
    assert_eq!(
        gateway.documents("app list --json").await,
        [json!({"appId": "demo", "name": "Demo", "status": "active"})]
    );
}

#[tokio::test]
async fn demo_with_another_key_than_its_files_is_told() {
    let gateway = Gateway::start("other-key").await;
    gateway.documents("app create --demo --json --key-file first.key").await;
    let output = gateway.nsl("app create --demo --json --key-file second.key").await;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("another key"));
}

#[tokio::test]
async fn apps_are_listed_by_owner_and_never_made_twice() {
    let gateway = Gateway::start("owners").await;
    let shop =
        gateway.documents("app create --json --app-id shop --owner ann --name Shop --scope view").await;
    assert_eq!(shop[0]["legacy"], json!(false));
    gateway.documents("app create --json --owner ann --app-id blog --legacy").await;
    gateway.documents("app create --json --owner bob").await;
    let listed = gateway.documents("app list --owner ann --json").await;
    let ids: Vec<&str> = listed.iter().map(|app| app["appId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["blog", "shop"]);

    let output = gateway.nsl("app create --app-id shop --owner mallory").await;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("already"));
}

#[tokio::test]
async fn person_is_told_that_the_key_is_shown_once() {
    let gateway = Gateway::start("person").await;
    let output = gateway.nsl("app create --app-id shop").await;
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("app     shop\nowner   demo-user\n") && told.contains("shown this once"), "{told}");
    let listed = String::from_utf8(gateway.nsl("app list").await.stdout).unwrap();
    assert!(listed.starts_with("APP"), "{listed}");
}
