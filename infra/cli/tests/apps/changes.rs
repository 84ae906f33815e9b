//! An application's life after its making: shown, changed, its keys rotated, switched off and on, deleted.

use crate::gateway::Gateway;
use serde_json::{Value, json};

#[tokio::test]
async fn an_application_is_shown_without_its_keys_text() {
    let gateway = Gateway::start("show").await;
    let made =
        gateway.documents("app create --app-id shop --owner ann --name Shop --scope publish --json").await;
    gateway.put("connections", "app#shop", "p#a=");
    let shown = gateway.documents("app show shop --json").await.remove(0);
    assert_eq!(
        (&shown["userId"], &shown["status"], &shown["connections"], &shown["keys"][0]["scope"]),
        (&json!("ann"), &json!("active"), &json!(1), &json!("publish"))
    );
    assert!(!shown.to_string().contains(made[0]["apiKey"].as_str().unwrap()));
    let card = String::from_utf8(gateway.nsl("app show shop").await.stdout).unwrap();
    assert!(card.contains("status    active\n") && card.ends_with("connected 1\n"), "{card}");
    assert!(gateway.complaint("app show nobody").await.contains("there is no application nobody"));
    assert!(gateway.complaint("app show a#b").await.contains("is no application's id"));
}

#[tokio::test]
async fn a_publisher_whose_clock_is_wrong_is_shown_with_its_application() {
    let gateway = Gateway::start("clock").await;
    gateway.documents("app create --app-id shop --owner ann --json").await;
    gateway.put("connections", "app#shop", "p#right=");
    let noted = json!({"source": {"S": "started-2026-11-22T06:01:00Z"}, "clockAhead": {"N": "-25200000"},
        "clockSeen": {"N": "1795352461387"}});
    gateway.put_with("connections", "app#shop", "p#wrong=", &noted);
    let shown = gateway.documents("app show shop --json").await.remove(0);
    let clock = json!({"source": "started-2026-11-22T06:01:00Z", "aheadMs": -25_200_000,
        "seen": "2026-11-22T13:01:01.387Z"});
    assert_eq!((&shown["connections"], &shown["wrongClocks"]), (&json!(2), &json!([clock])));
    let card = String::from_utf8(gateway.nsl("app show shop").await.stdout).unwrap();
    assert!(card.contains("clock     started-2026-11-22T06:01:00Z is 7 h behind, as seen at 2026"), "{card}");
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let gateway = Gateway::start("update").await;
    gateway.documents("app create --app-id shop --owner ann --json").await;
    let before = gateway.documents("app show shop --json").await.remove(0);
    let changed =
        gateway.documents("app update shop --name Kiosk --legacy on --shards 4 --json").await.remove(0);
    assert_eq!(
        (&changed["name"], &changed["legacy"], &changed["shards"], &changed["keys"]),
        (&json!("Kiosk"), &json!(true), &json!(4), &before["keys"])
    );
    let listed = gateway.documents("app list --owner ann --json").await.remove(0);
    assert_eq!(listed["name"], "Kiosk", "the index follows");
    let revoked = gateway.documents("app update shop --revoke-tokens --json").await.remove(0);
    assert!(revoked["tokensNotBefore"].as_str().unwrap().starts_with("20"), "{revoked}");
    assert_eq!(revoked["legacy"], true);
    assert!(gateway.complaint("app update shop --shards 2").await.contains("only grow"));
    assert!(
        gateway.complaint("app update shop").await.contains("--revoke-tokens"),
        "something must be named"
    );
}

#[tokio::test]
async fn limits_and_retention_are_set_shown_and_taken_back() {
    let gateway = Gateway::start("terms").await;
    gateway.documents("app create --app-id shop --max-connections 9 --retention-raw 3d --json").await;
    let set =
        "app update shop --max-reports 20 --max-bytes 50000 --max-subscriptions 4 --retention-1d 520w --json";
    gateway.documents(set).await;
    let shown = gateway.documents("app show shop --json").await.remove(0);
    let own = json!({"reports": 20, "bytes": 50_000, "connections": 9, "subscriptions": 4});
    assert_eq!((&shown["limits"], &shown["ownLimits"]), (&own, &own));
    assert_eq!(
        shown["retentionHours"],
        json!({"raw": 72, "minute": 192, "tenMinutes": 840, "hour": 9_600, "day": 87_360})
    );
    assert_eq!(shown["ownRetentionHours"]["day"], 87_360);
    let card = String::from_utf8(gateway.nsl("app show shop").await.stdout).unwrap();
    assert!(card.contains("may send  20 reports and 50000 bytes a second\n"), "{card}");

    for (arguments, told) in [
        ("--max-reports 1001", "reports a second must lie between 1 and 1000, not at 1001"),
        ("--max-connections 0", "connections must lie between 1 and 10000"),
        ("--retention-raw 1d", "raw reports are kept for 48 to 720 hours, not for 24"),
        ("--retention-10m 4d", "less than the 192 of 1-minute rollups"),
        ("--retention-1h soon", "such as 48h or 8d"),
    ] {
        let complaint = gateway.complaint(&format!("app update shop {arguments}")).await;
        assert!(complaint.contains(told), "{arguments}: {complaint}");
    }
    let reset = "app update shop --max-reports default --max-bytes default --max-connections default \
                 --max-subscriptions default --retention-raw default --retention-1d default --json";
    gateway.documents(&reset.split_whitespace().collect::<Vec<_>>().join(" ")).await;
    let shown = gateway.documents("app show shop --json").await.remove(0);
    assert_eq!((&shown["limits"]["reports"], &shown["ownLimits"]["reports"]), (&json!(1_000), &json!(null)));
    assert_eq!(shown["retentionHours"]["raw"], 48);
}

#[tokio::test]
async fn a_key_is_rotated_without_a_moment_in_which_none_is_valid() {
    let gateway = Gateway::start("rotate").await;
    gateway.documents("app create --app-id shop --scope view --json").await;
    let first = gateway.documents("app show shop --json").await[0]["keys"][0].clone();
    assert!(gateway.complaint("app rotate-key shop --drop-old").await.contains("no older key that may view"));
    let new = gateway.documents("app rotate-key shop --json").await.remove(0);
    assert!(new["apiKey"].as_str().unwrap().starts_with("nehonix@"));
    assert_eq!(new["scope"], "view", "as the newest may");
    let both = gateway.documents("app show shop --json").await.remove(0);
    assert_eq!(both["keys"], json!([first, {"id": new["keyId"], "scope": "view"}]));
    assert!(gateway.complaint("app rotate-key shop").await.contains("2 valid keys that may view"));
    let dropped = gateway.documents("app rotate-key shop --drop-old --json").await.remove(0);
    assert_eq!(dropped["keys"], json!([new["keyId"]]));
    assert_eq!(gateway.count("apps"), 2, "the application and the pointer of its one key");
    let id = new["keyId"].as_str().unwrap();
    assert!(gateway.complaint("app rotate-key shop --drop 000000000000").await.contains("no key 0000"));
    assert_eq!(
        gateway.documents(&format!("app rotate-key shop --drop {id} --json")).await[0]["keys"],
        json!([])
    );
}

#[tokio::test]
async fn keys_of_one_scope_are_rotated_without_those_of_another() {
    let gateway = Gateway::start("rotate-scopes").await;
    let id_of = |document: &Value| document["keyId"].clone();
    gateway.documents("app create --app-id shop --scope publish --json").await;
    let publishes = gateway.documents("app show shop --json").await[0]["keys"][0]["id"].clone();
    let views = id_of(&gateway.documents("app rotate-key shop --scope view --json").await[0]);
    let publishes_later = id_of(&gateway.documents("app rotate-key shop --scope publish --json").await[0]);
    let views_later = id_of(&gateway.documents("app rotate-key shop --scope view --json").await[0]);
    let left = gateway.documents("app rotate-key shop --drop-old --scope publish --json").await.remove(0);
    assert_eq!(left["keys"], json!([views, publishes_later, views_later]), "not {publishes}");
    let left = gateway.documents("app rotate-key shop --drop-old --json").await.remove(0);
    assert_eq!(left["keys"], json!([publishes_later, views_later]), "of the scope of the newest");
    assert!(gateway.complaint("app rotate-key shop --drop-old --scope both").await.contains("no older key"));
    let told = String::from_utf8(gateway.nsl("app rotate-key shop --scope publish").await.stderr).unwrap();
    assert!(told.contains("nsl app rotate-key shop --drop-old --scope publish"), "{told}");
}

#[tokio::test]
async fn a_new_key_may_go_to_a_file_of_its_own() {
    let gateway = Gateway::start("rotate-file").await;
    gateway.documents("app create --app-id shop --json").await;
    let new = gateway.documents("app rotate-key shop --key-file new.key --json").await.remove(0);
    let stored = std::fs::read_to_string(gateway.folder.join("new.key")).unwrap();
    assert_eq!(new["apiKey"], stored.trim());
    gateway.documents("app rotate-key shop --drop-old --json").await;
    assert!(
        gateway.complaint("app rotate-key shop --key-file new.key").await.contains("cannot make key file")
    );
}

#[tokio::test]
async fn switching_off_closes_every_connection_of_the_application_and_no_other() {
    let gateway = Gateway::start("switch").await;
    gateway.documents("app create --app-id shop --json").await;
    for (app, row) in [("shop", "p#a="), ("shop", "s#a="), ("shop", "s#b="), ("bank", "p#c=")] {
        gateway.put("connections", &format!("app#{app}"), row);
    }
    let off = gateway.documents("app deactivate shop --json").await.remove(0);
    assert_eq!((&off["status"], &off["closed"]), (&json!("inactive"), &json!(2)));
    assert_eq!(gateway.closed(), ["a=", "b="]);
    let on = gateway.documents("app activate shop --json").await.remove(0);
    assert_eq!((&on["status"], &on["closed"]), (&json!("active"), &json!(null)));
    let told = String::from_utf8(gateway.nsl("app deactivate shop").await.stdout).unwrap();
    assert_eq!(told, "shop is inactive\nclosed 2 connections\n");
}

#[tokio::test]
async fn a_connection_that_cannot_be_closed_keeps_no_other_open_and_no_application() {
    let gateway = Gateway::start("stuck").await;
    gateway.documents("app create --app-id shop --json").await;
    for connection in ["a=", "stuck-1=", "stuck-2=", "z="] {
        gateway.put("connections", "app#shop", &format!("p#{connection}"));
    }
    let output = gateway.nsl("app deactivate shop --json").await;
    assert!(!output.status.success(), "some are still open");
    assert_eq!(gateway.closed(), ["a=", "z="]);
    let off: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&off["status"], &off["closed"], &off["notClosed"]),
        (&json!("inactive"), &json!(2), &json!(2))
    );
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("2 of 4 connections could not be closed: 2 by close connection"), "{told}");

    let output = gateway.nsl("app delete shop --yes --json --settle 0").await;
    let deleted: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "they open nothing more");
    assert_eq!(
        (&deleted["deleted"], &deleted["closed"], &deleted["notClosed"]),
        (&json!(true), &json!(2), &json!(2))
    );
    assert!(String::from_utf8(output.stderr).unwrap().contains("2 of 4 connections could not be closed"));
    assert_eq!((gateway.count("apps"), gateway.count("connections")), (0, 0));
}

#[tokio::test]
async fn a_deleted_application_leaves_nothing_and_the_others_everything() {
    let gateway = Gateway::start("delete").await;
    gateway.documents("app create --app-id shop --json").await;
    gateway.documents("app create --app-id bank --json").await;
    gateway.put("connections", "app#shop", "p#a=");
    gateway.put("connections", "app#bank", "p#b=");
    let hour = |app: &str| format!("{app}#{}#0", this_hour());
    for index in 0..30 {
        gateway.put("reports", &hour("shop"), &format!("{index}"));
    }
    gateway.put("reports", &hour("bank"), "0");
    gateway.documents("app update shop --shards 2 --json").await;
    for app in ["shop", "bank"] {
        for partition in ["1m#0", "10m#0", "1h#0", "1d#0", "sources", "quarantine"] {
            gateway.put("rollups", &format!("{app}#{partition}"), "a");
        }
    }
    gateway.put("rollups", "shop#1m#1", "a");
    for app in ["shop", "bank"] {
        gateway.put("logs", app, "a");
        gateway.put("connections", &format!("commands#{app}"), "console_toggle");
    }
    assert!(gateway.complaint("app delete shop").await.contains("--yes"));
    assert_eq!(gateway.count("reports"), 31, "nothing is deleted without a yes");
    let deleted = gateway.documents("app delete shop --yes --json --settle 0").await.remove(0);
    assert_eq!(
        (&deleted["deleted"], &deleted["closed"], &deleted["erased"]),
        (&json!(true), &json!(1), &json!(40))
    );
    assert_eq!(gateway.closed(), ["a="]);
    assert_eq!((gateway.count("apps"), gateway.count("connections"), gateway.count("reports")), (2, 2, 1));
    assert_eq!(gateway.count("logs"), 1, "the other application's");
    assert_eq!(gateway.count("rollups"), 6, "the other application's");
    assert!(gateway.complaint("app delete shop --yes").await.contains("no application"));
}

#[tokio::test]
async fn what_functions_store_while_they_believe_in_a_deleted_application_is_erased_too() {
    let gateway = Gateway::start("settle").await;
    gateway.documents("app create --app-id shop --json").await;
    gateway.put("rollups", "shop#sources", "a");
    let (gateway, hour) = (&gateway, format!("shop#{}#0", this_hour()));
    let functions = async {
        gateway.until_count("rollups", 0).await;
        gateway.put("reports", &hour, "0");
        gateway.put("rollups", "shop#sources", "a");
        gateway.until_count("apps", 0).await;
        gateway.put("rollups", "shop#1m#0", "a");
    };
    let (deleted, ()) = tokio::join!(gateway.documents("app delete shop --yes --json --settle 2"), functions);
    assert_eq!(deleted[0]["erased"], 4);
    assert_eq!((gateway.count("reports"), gateway.count("rollups")), (0, 0));
}

/// The hour that is running, as partitions name it.
fn this_hour() -> String {
    #[expect(clippy::disallowed_methods, reason = "reports must lie within their retention")]
    let now = jiff::Timestamp::now().to_string();
    now[..13].to_owned()
}
