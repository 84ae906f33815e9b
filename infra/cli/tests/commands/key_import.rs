//! Keys that exist already: alone in a file, or in a configuration of the library.

use crate::gateway::Gateway;
use serde_json::{Value, json};

/// A key of the form that the library's own server generated.
const KEY: &str = "nehonix@0f4b8c2d6e19a7533d9e0c1ab2f4867590d1e2a3b4c5f60718293a4b5c6d7e8f.nsl";

/// A configuration as that server wrote it.
fn configuration() -> Value {
    json!({"user": {"userId": "nehonix_719d"}, "logLevel": "debug", "console": {"enabled": true},
        "app": {"provider": "nehonix", "apiKey": KEY, "appId": "4ffc7be6", "name": "My shop"}})
}

fn write(gateway: &Gateway, name: &str, text: &str) {
    std::fs::write(gateway.folder.join(name), text).unwrap();
}

fn changed(pointer: &str, value: Value) -> String {
    let mut config = configuration();
    *config.pointer_mut(pointer).unwrap() = value;
    config.to_string()
}

#[tokio::test]
async fn configuration_names_the_app_and_its_key() {
    let gateway = Gateway::start("import").await;
    write(&gateway, "nehonix.json", &serde_json::to_string_pretty(&configuration()).unwrap());
    let app = gateway.document("app create --key-file nehonix.json --json").await;
    let expected = json!({"appId": "4ffc7be6", "userId": "nehonix_719d", "name": "My shop", "apiKey": KEY,
        "legacy": false, "created": true});
    assert_eq!(app, expected);
    let config: Value =
        serde_json::from_str(&gateway.text("app config 4ffc7be6 --key-file nehonix.json").await).unwrap();
    assert_eq!(config["app"]["apiKey"], KEY, "the app accepts the key");
    let again = gateway.error("app create --key-file nehonix.json").await;
    assert!(again.contains("application 4ffc7be6 already exists, with this key"), "{again}");
}

#[tokio::test]
async fn key_in_a_file_is_not_printed() {
    let gateway = Gateway::start("import-card").await;
    write(&gateway, "shop.key", &format!("{KEY}\n"));
    for (app, file) in [("shop", "shop.key"), ("bank", "new.key")] {
        let card = gateway.text(&format!("app create --app-id {app} --key-file {file}")).await;
        assert!(card.contains(&format!("key     the one in {file}\n")), "{card}");
        assert!(!card.contains("nehonix@"), "{card}");
    }
    assert_eq!(std::fs::read_to_string(gateway.folder.join("shop.key")).unwrap(), format!("{KEY}\n"));
}

#[tokio::test]
async fn arguments_must_agree_with_the_configuration() {
    let gateway = Gateway::start("import-ids").await;
    write(&gateway, "nehonix.json", &configuration().to_string());
    for (argument, expected) in [
        ("--app-id other", "--app-id is \"other\", but the configuration in --key-file has \"4ffc7be6\""),
        ("--owner ann", "--owner is \"ann\", but the configuration in --key-file has \"nehonix_719d\""),
    ] {
        let error = gateway.error(&format!("app create --key-file nehonix.json {argument}")).await;
        assert!(error.contains(expected), "{error}");
    }
    let same =
        "app create --key-file nehonix.json --app-id 4ffc7be6 --owner nehonix_719d --name Kiosk --json";
    assert_eq!(gateway.document(same).await["name"], "Kiosk");
}

#[tokio::test]
async fn file_without_a_usable_key_is_rejected_with_the_reason() {
    let gateway = Gateway::start("import-bad").await;
    let form = "nehonix@, 64 of the digits 0-9 a-f, .nsl; the service accepts no other form";
    let zeros = format!("nehonix@{}.nsl", "0".repeat(64));
    for (name, text, expected) in [
        ("empty.key", " \n".to_owned(), "it does not contain an API key"),
        ("short.key", "nehonix@a716446655440000.nsl".to_owned(), form),
        ("upper.key", KEY.to_uppercase(), form),
        ("guessable.key", zeros, "could be guessed"),
        ("empty.json", changed("/app/apiKey", json!("")), "no key in app.apiKey"),
        ("number.json", changed("/app/apiKey", json!(7)), "no key in app.apiKey"),
        ("other.json", changed("/app/apiKey", json!("key-a716446655440000")), form),
        ("id.json", changed("/app/appId", json!(null)), "no text app.appId"),
        ("user.json", changed("/user", json!(KEY)), "no text user.userId"),
        ("broken.json", format!("{{\"app\": \"{KEY}\""), "neither a key nor valid JSON"),
    ] {
        write(&gateway, name, &text);
        let error = gateway.error(&format!("app create --owner ann --key-file {name}")).await;
        assert!(error.contains(expected) && error.contains(name), "{name}: {error}");
        assert!(!error.contains("nehonix@0") && !error.contains("a716"), "the key is quoted: {error}");
        assert_eq!(std::fs::read_to_string(gateway.folder.join(name)).unwrap(), text);
    }
    let error = gateway.error("app create --owner ann --key-file mistyped.json").await;
    assert!(error.contains("there is no file mistyped.json"), "{error}");
    assert_eq!(gateway.count("AppsTable").await, 0);
}

#[tokio::test]
async fn key_of_another_app_is_rejected_with_its_id() {
    let gateway = Gateway::start("import-other").await;
    write(&gateway, "shop.key", KEY);
    gateway.documents("app create --app-id shop --key-file shop.key --json").await;
    let error = gateway.error("app create --app-id bank --key-file shop.key").await;
    assert!(error.contains("one of another application already, and a key opens only one: shop"), "{error}");
    gateway.documents("app create --app-id bank --json").await;
    let error = gateway.error("app rotate-key bank --import --key-file shop.key").await;
    assert!(error.contains("the key is one of application shop already"), "{error}");
}

#[tokio::test]
async fn existing_app_accepts_an_imported_key_too() {
    let gateway = Gateway::start("import-add").await;
    write(&gateway, "nehonix.json", &configuration().to_string());
    gateway.documents("app create --app-id 4ffc7be6 --owner nehonix_719d --legacy --json").await;
    let error = gateway.error("app create --key-file nehonix.json").await;
    let remedy = "nsl app rotate-key 4ffc7be6 --import --key-file nehonix.json";
    assert!(error.contains(remedy), "{error}");
    assert!(error.contains(&format!("{remedy} --local ")), "{error}");
    let card = gateway.text(&remedy["nsl ".len()..]).await;
    assert!(card.contains("key     the imported one\n") && !card.contains(KEY), "{card}");
    gateway.text("app config 4ffc7be6 --key-file nehonix.json").await;
    assert!(gateway.error("app rotate-key 4ffc7be6 --import").await.contains("--import needs --key-file"));
    gateway.documents("app create --app-id bank --json").await;
    let error = gateway.error("app rotate-key bank --import --key-file nehonix.json").await;
    assert!(error.contains("is that of application \"4ffc7be6\", not of bank"), "{error}");
}
