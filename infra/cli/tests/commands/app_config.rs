//! `nsl app config`.

use crate::gateway::Gateway;
use crate::library_import::{Imported, VERSIONS};
use serde_json::{Value, json};

const DAY_MS: u64 = 86_400_000;

async fn with_key(name: &str) -> Gateway {
    let gateway = Gateway::start(name).await;
    gateway.documents("app create --app-id shop --owner ann --name Shop --key-file shop.key --json").await;
    gateway
}

/// The configuration that a command prints.
async fn printed(gateway: &Gateway, arguments: &str) -> Value {
    serde_json::from_str(&gateway.text(arguments).await).unwrap()
}

#[tokio::test]
async fn every_version_of_the_library_imports_the_configuration() {
    let gateway = with_key("config").await;
    let config = printed(&gateway, "app config shop --key-file shop.key").await;
    for (index, import) in VERSIONS.into_iter().enumerate() {
        let imported = import(&config);
        let rotation_ms = (index == 0).then_some(DAY_MS);
        let (user_id, app_id) = ("ann".to_owned(), "shop".to_owned());
        assert_eq!(imported, Imported { user_id, app_id, reports_each_second: true, rotation_ms }, "{index}");
    }
    let key = std::fs::read_to_string(gateway.folder.join("shop.key")).unwrap();
    let app = json!({"provider": "nehonix", "appId": "shop", "name": "Shop", "apiKey": key.trim(),
        "wsUrl": "ws://unused"});
    assert_eq!(config["app"], app);
}

#[tokio::test]
async fn stdout_is_only_the_configuration() {
    let gateway = with_key("config-stdout").await;
    let output = gateway.nsl("app config shop --new-key").await;
    assert!(output.stdout.starts_with(b"{\n"));
    assert!(serde_json::from_slice::<Value>(&output.stdout).is_ok());
    let messages = String::from_utf8(output.stderr).unwrap();
    assert!(messages.contains("out of version control") && messages.contains("--drop"), "{messages}");
    assert!(!messages.contains("nehonix@"), "{messages}");
    let lines = gateway.documents("app config shop --key-file shop.key --json").await;
    assert_eq!(lines.len(), 1);
}

#[tokio::test]
async fn new_key_may_only_publish_and_is_removed_by_its_id() {
    let gateway = with_key("config-new").await;
    let config = printed(&gateway, "app config shop --new-key").await;
    std::fs::write(gateway.folder.join("new.json"), config.to_string()).unwrap();
    let again = printed(&gateway, "app config shop --key-file new.json").await;
    assert_eq!(again, config, "a printed configuration is a key file");
    let keys = gateway.document("app show shop --json").await["keys"].clone();
    assert_eq!((&keys[0]["scope"], &keys[1]["scope"]), (&json!("both"), &json!("publish")));
    let id = keys[1]["id"].as_str().unwrap();
    gateway.documents(&format!("app rotate-key shop --drop {id} --json")).await;
    let error = gateway.error("app config shop --key-file new.json").await;
    assert!(error.contains("the key is not one of shop"), "{error}");
}

#[tokio::test]
async fn key_comes_from_the_environment_without_a_key_file() {
    let gateway = with_key("config-env").await;
    let key = std::fs::read_to_string(gateway.folder.join("shop.key")).unwrap();
    let output = gateway.nsl_with("app config shop --json", &[("NSL_API_KEY", &key)], "").await;
    let config: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(config["app"]["apiKey"], key.trim());
    let output = gateway.nsl_with("app config shop", &[("NSL_TOKEN", "t")], "").await;
    assert!(String::from_utf8(output.stderr).unwrap().contains("NSL_TOKEN is set"));
}

#[tokio::test]
async fn key_that_cannot_report_is_rejected() {
    let gateway = with_key("config-wrong").await;
    gateway.documents("app rotate-key shop --scope view --key-file view.key --json").await;
    gateway.documents("app create --app-id bank --key-file bank.key --json").await;
    for (arguments, expected) in [
        (
            "shop",
            "only hashes are stored: give --key-file FILE, set NSL_API_KEY, or add a new key with --new-key",
        ),
        ("shop --key-file view.key", "may not publish"),
        ("shop --key-file bank.key", "the key is not one of shop"),
        ("shop --key-file none.key", "cannot read key file none.key"),
        ("shop --new-key --key-file shop.key", "omit --key-file"),
        ("unknown --new-key", "no application unknown"),
    ] {
        let error = gateway.error(&format!("app config {arguments}")).await;
        assert!(error.contains(expected) && error.lines().count() == 1, "{arguments}: {error}");
        assert!(!error.contains("nehonix@"), "{error}");
    }
}
