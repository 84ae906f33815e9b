//! `nsl app create` and `nsl app list`.

use crate::gateway::Gateway;
use serde_json::json;

#[tokio::test]
async fn demo_is_created_once() {
    let gateway = Gateway::start("demo").await;
    let demo = "app create --demo --json --key-file data/demo.key";
    let first = gateway.document(demo).await;
    assert_eq!(
        (&first["appId"], &first["userId"], &first["name"], &first["legacy"], &first["created"]),
        (&json!("demo"), &json!("demo-user"), &json!("Demo"), &json!(true), &json!(true))
    );
    let stored = std::fs::read_to_string(gateway.folder.join("data/demo.key")).unwrap();
    assert_eq!(first["apiKey"], stored.trim());

    let second = gateway.document(demo).await;
    assert_eq!((&second["apiKey"], &second["created"]), (&first["apiKey"], &json!(false)));
    assert_eq!(
        gateway.documents("app list --json").await,
        [json!({"appId": "demo", "name": "Demo", "status": "active"})]
    );
}

#[tokio::test]
async fn demo_accepts_the_key_of_a_new_key_file_only() {
    let gateway = Gateway::start("lost-key").await;
    gateway.documents("app create --demo --json --key-file first.key").await;
    let before = gateway.document("app show demo --json").await;
    let again = gateway.document("app create --demo --json --key-file second.key").await;
    assert_eq!(again["created"], json!(false));
    let after = gateway.document("app show demo --json").await;
    let keys = after["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    assert_ne!(after["keys"], before["keys"]);
    assert_eq!(gateway.documents("app create --demo --json --key-file second.key").await[0], again);
}

#[tokio::test]
async fn demo_gets_a_view_key_beside_its_other_keys() {
    let gateway = Gateway::start("view-key").await;
    gateway.documents("app create --demo --json --key-file demo.key").await;
    gateway.documents("app rotate-key demo --json").await;
    let with_view = "app create --demo --json --key-file demo.key --view-key-file view.key";
    let demo = gateway.document(with_view).await;
    let stored = std::fs::read_to_string(gateway.folder.join("view.key")).unwrap();
    assert_eq!(demo["viewKey"], stored.trim());
    let scopes = async || {
        let shown = gateway.document("app show demo --json").await;
        let keys = shown["keys"].as_array().unwrap().iter();
        keys.map(|key| key["scope"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(scopes().await, ["both", "both", "view"]);
    assert_eq!(gateway.document(with_view).await["viewKey"], demo["viewKey"]);
    assert_eq!(scopes().await.len(), 3);
    gateway.documents("app create --demo --json --key-file lost.key --view-key-file view.key").await;
    assert_eq!(scopes().await, ["both", "view"], "keys whose text is lost are removed");
}

#[tokio::test]
async fn apps_are_listed_by_owner_and_not_created_twice() {
    let gateway = Gateway::start("owners").await;
    let shop =
        gateway.documents("app create --json --app-id shop --owner ann --name Shop --scope view").await;
    assert_eq!(shop[0]["legacy"], json!(false));
    gateway.documents("app create --json --owner ann --app-id blog --legacy").await;
    gateway.documents("app create --json --owner bob").await;
    let listed = gateway.documents("app list --owner ann --json").await;
    let ids: Vec<&str> = listed.iter().map(|app| app["appId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["blog", "shop"]);

    let table = gateway.text("app list --owner ann").await;
    assert_eq!(table, "APP   STATUS    NAME\nblog  active    blog\nshop  active    Shop\n");

    for (arguments, expected) in [
        ("--app-id shop --owner mallory", "already exists"),
        ("--app-id a#b", "--app-id: "),
        ("--demo --name x", "cannot be used with '--name"),
        ("--owner ann --name \u{1b}[2J", "--name: \"\\u{1b}[2J\" has a control or invisible character"),
        ("--owner ann --name a\u{202e}b", "--name: "),
        ("--owner ann --name a\u{200b}b", "--name: "),
        ("--owner \u{1b}[2J", "--owner: "),
        ("--owner ann --app-id \u{7}", "--app-id: "),
    ] {
        let error = gateway.error(&format!("app create {arguments}")).await;
        assert!(error.contains(expected), "{arguments}: {error}");
        assert!(nsl_terminal::is_printable(&error.replace('\n', "")), "{arguments}: {error:?}");
    }
}

#[tokio::test]
async fn text_says_that_the_key_is_shown_only_once() {
    let gateway = Gateway::start("person").await;
    let card = gateway.text("app create --app-id shop").await;
    assert!(
        card.contains("app     shop\nowner   demo-user\nname    shop\n") && card.contains("shown only once"),
        "{card}"
    );
}
