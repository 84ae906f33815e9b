//! The commands that show, change, deactivate and delete an app, and rotate its keys.

use crate::gateway::Gateway;
use serde_json::{Value, json};

/// Rows that a deleted app leaves in the Apps table: since when its id is free.
const FREE_ID_ROWS: usize = 1;

#[tokio::test]
async fn show_hides_the_text_of_keys() {
    let gateway = Gateway::start("show").await;
    let made =
        gateway.documents("app create --app-id shop --owner ann --name Shop --scope publish --json").await;
    gateway.put("ConnectionsTable", "app#shop", "p#a=").await;
    let shown = gateway.document("app show shop --json").await;
    assert_eq!(
        (&shown["userId"], &shown["status"], &shown["connections"], &shown["keys"][0]["scope"]),
        (&json!("ann"), &json!("active"), &json!(1), &json!("publish"))
    );
    assert!(!shown.to_string().contains(made[0]["apiKey"].as_str().unwrap()));
    let card = gateway.text("app show shop").await;
    assert!(card.contains("status       active\n") && card.ends_with("connected    1\n"), "{card}");
    assert!(gateway.error("app show unknown").await.contains("no application unknown"));
    assert!(gateway.error("app show a#b").await.contains("invalid application id"));
}

#[tokio::test]
async fn show_lists_publishers_with_wrong_clocks() {
    let gateway = Gateway::start("clock").await;
    gateway.documents("app create --app-id shop --owner ann --json").await;
    gateway.put("ConnectionsTable", "app#shop", "p#right=").await;
    let noted = json!({"source": {"S": "started-2026-11-22T06:01:00Z"}, "clockAhead": {"N": "-25200000"},
        "clockSeen": {"N": "1795352461387"}});
    gateway.put_with("ConnectionsTable", "app#shop", "p#wrong=", &noted).await;
    let shown = gateway.document("app show shop --json").await;
    let clock = json!({"source": "started-2026-11-22T06:01:00Z", "aheadMs": -25_200_000,
        "seen": "2026-11-22T13:01:01.387Z"});
    assert_eq!((&shown["connections"], &shown["wrongClocks"]), (&json!(2), &json!([clock])));
    let card = gateway.text("app show shop").await;
    assert!(
        card.contains("clock        started-2026-11-22T06:01:00Z is 7 h behind, as seen at 2026"),
        "{card}"
    );
}

#[tokio::test]
async fn update_changes_only_the_given_settings() {
    let gateway = Gateway::start("update").await;
    gateway.documents("app create --app-id shop --owner ann --json").await;
    let before = gateway.document("app show shop --json").await;
    let changed = gateway.document("app update shop --name Kiosk --legacy on --shards 4 --json").await;
    assert_eq!(
        (&changed["name"], &changed["legacy"], &changed["shards"], &changed["keys"]),
        (&json!("Kiosk"), &json!(true), &json!(4), &before["keys"])
    );
    let listed = gateway.document("app list --owner ann --json").await;
    assert_eq!(listed["name"], "Kiosk", "the index is updated");
    assert!(
        gateway.error("app update shop --name a\u{9b}2J").await.contains("control or invisible character")
    );
    let revoked = gateway.document("app update shop --revoke-tokens --json").await;
    assert!(revoked["tokensNotBefore"].as_str().unwrap().starts_with("20"), "{revoked}");
    assert_eq!(revoked["legacy"], true);
    assert!(gateway.error("app update shop --shards 2").await.contains("only grow"));
    assert!(gateway.error("app update shop").await.contains("--revoke-tokens"), "a setting is required");
}

#[tokio::test]
async fn limits_and_retention_are_set_and_reset() {
    let gateway = Gateway::start("settings").await;
    gateway.documents("app create --app-id shop --max-connections 9 --retention-raw 3d --json").await;
    let set =
        "app update shop --max-reports 20 --max-bytes 50000 --max-subscriptions 4 --retention-1d 520w --json";
    gateway.documents(set).await;
    let shown = gateway.document("app show shop --json").await;
    let own = json!({"reports": 20, "bytes": 50_000, "connections": 9, "subscriptions": 4});
    assert_eq!((&shown["limits"], &shown["ownLimits"]), (&own, &own));
    assert_eq!(
        shown["retentionHours"],
        json!({"raw": 72, "minute": 192, "tenMinutes": 840, "hour": 9_600, "day": 87_360})
    );
    assert_eq!(shown["ownRetentionHours"]["day"], 87_360);
    let card = gateway.text("app show shop").await;
    assert!(card.contains("rate         at most 20 reports and 50000 bytes a second\n"), "{card}");

    for (arguments, expected) in [
        ("--max-reports 1001", "reports a second must be between 1 and 1000, got 1001"),
        ("--max-connections 0", "connections must be between 1 and 10000"),
        ("--retention-raw 1d", "raw reports must be kept for 48 to 720 hours, got 24"),
        ("--retention-10m 4d", "less than the 192 of 1-minute rollups"),
        ("--retention-1h soon", "such as 48h or 8d"),
    ] {
        let error = gateway.error(&format!("app update shop {arguments}")).await;
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    let reset = "app update shop --max-reports default --max-bytes default --max-connections default \
                 --max-subscriptions default --retention-raw default --retention-1d default --json";
    gateway.documents(&reset.split_whitespace().collect::<Vec<_>>().join(" ")).await;
    let shown = gateway.document("app show shop --json").await;
    assert_eq!((&shown["limits"]["reports"], &shown["ownLimits"]["reports"]), (&json!(1_000), &json!(null)));
    assert_eq!(shown["retentionHours"]["raw"], 48);
}

#[tokio::test]
async fn key_is_rotated_without_an_outage() {
    let gateway = Gateway::start("rotate").await;
    gateway.documents("app create --app-id shop --scope view --json").await;
    let first = gateway.documents("app show shop --json").await[0]["keys"][0].clone();
    assert!(gateway.error("app rotate-key shop --drop-old").await.contains("no older key that may view"));
    let new = gateway.document("app rotate-key shop --json").await;
    assert!(new["apiKey"].as_str().unwrap().starts_with("nehonix@"));
    assert_eq!(new["scope"], "view", "the scope of the newest key");
    let both = gateway.document("app show shop --json").await;
    assert_eq!(both["keys"], json!([first, {"id": new["keyId"], "scope": "view"}]));
    assert!(gateway.error("app rotate-key shop").await.contains("2 valid keys that may view"));
    let dropped = gateway.document("app rotate-key shop --drop-old --json").await;
    assert_eq!(dropped["keys"], json!([new["keyId"]]));
    assert_eq!(gateway.count("AppsTable").await, 2, "the application and the pointer of its one key");
    let id = new["keyId"].as_str().unwrap();
    assert!(gateway.error("app rotate-key shop --drop 000000000000").await.contains("no key 0000"));
    assert_eq!(
        gateway.documents(&format!("app rotate-key shop --drop {id} --json")).await[0]["keys"],
        json!([])
    );
}

#[tokio::test]
async fn scopes_are_rotated_independently() {
    let gateway = Gateway::start("rotate-scopes").await;
    let id_of = |document: &Value| document["keyId"].clone();
    gateway.documents("app create --app-id shop --scope publish --json").await;
    let publishes = gateway.documents("app show shop --json").await[0]["keys"][0]["id"].clone();
    let views = id_of(&gateway.documents("app rotate-key shop --scope view --json").await[0]);
    let publishes_later = id_of(&gateway.documents("app rotate-key shop --scope publish --json").await[0]);
    let views_later = id_of(&gateway.documents("app rotate-key shop --scope view --json").await[0]);
    let left = gateway.document("app rotate-key shop --drop-old --scope publish --json").await;
    assert_eq!(left["keys"], json!([views, publishes_later, views_later]), "not {publishes}");
    let left = gateway.document("app rotate-key shop --drop-old --json").await;
    assert_eq!(left["keys"], json!([publishes_later, views_later]), "of the scope of the newest");
    assert!(gateway.error("app rotate-key shop --drop-old --scope both").await.contains("no older key"));
    let message = String::from_utf8(gateway.nsl("app rotate-key shop --scope publish").await.stderr).unwrap();
    assert!(message.contains("nsl app rotate-key shop --drop-old --scope publish"), "{message}");
}

#[tokio::test]
async fn scope_is_one_or_several_words() {
    let gateway = Gateway::start("scope-words").await;
    gateway.documents("app create --app-id shop --scope manage --scope view --json").await;
    let new = gateway.document("app rotate-key shop --scope publish,view --json").await;
    assert_eq!(new["scope"], "both", "the name that older versions read");
    let message =
        String::from_utf8(gateway.nsl("app rotate-key shop --scope view,manage").await.stderr).unwrap();
    assert!(message.contains("--drop-old --scope view,manage"), "{message}");
    let shown = gateway.document("app show shop --json").await;
    let scopes: Vec<&Value> =
        shown["keys"].as_array().into_iter().flatten().map(|key| &key["scope"]).collect();
    assert_eq!(scopes, ["view manage", "both", "view manage"]);
    let full = gateway.error("app rotate-key shop --scope manage,view").await;
    assert!(full.contains("2 valid keys that may view and manage"), "{full}");
    assert!(
        gateway.error("app rotate-key shop --scope admin").await.contains("publish, view, manage or both")
    );
}

#[tokio::test]
async fn new_key_is_written_to_a_new_file() {
    let gateway = Gateway::with_shop("rotate-file").await;
    let new = gateway.document("app rotate-key shop --key-file new.key --json").await;
    let stored = std::fs::read_to_string(gateway.folder.join("new.key")).unwrap();
    assert_eq!(new["apiKey"], stored.trim());
    gateway.documents("app rotate-key shop --drop-old --json").await;
    let error = gateway.error("app rotate-key shop --key-file new.key").await;
    assert!(error.contains("cannot create key file new.key: it exists; to add the key in it, give --import"));
}

#[tokio::test]
async fn deactivating_closes_only_the_applications_connections() {
    let gateway = Gateway::with_shop("switch").await;
    for (app, row) in [("shop", "p#a="), ("shop", "s#a="), ("shop", "s#b="), ("bank", "p#c=")] {
        gateway.put("ConnectionsTable", &format!("app#{app}"), row).await;
    }
    let off = gateway.document("app deactivate shop --json").await;
    assert_eq!((&off["status"], &off["closed"]), (&json!("inactive"), &json!(2)));
    assert_eq!(gateway.closed(), ["a=", "b="]);
    let on = gateway.document("app activate shop --json").await;
    assert_eq!((&on["status"], &on["closed"]), (&json!("active"), &json!(null)));
    assert_eq!(gateway.text("app deactivate shop").await, "shop is inactive\nclosed 2 connections\n");
}

#[tokio::test]
async fn unclosable_connection_does_not_stop_the_rest() {
    let gateway = Gateway::with_shop("stuck").await;
    gateway.keep_open("stuck-1=");
    gateway.keep_open("stuck-2=");
    for connection in ["a=", "stuck-1=", "stuck-2=", "z="] {
        gateway.put("ConnectionsTable", "app#shop", &format!("p#{connection}")).await;
    }
    let output = gateway.nsl("app deactivate shop --json").await;
    assert!(!output.status.success(), "some are still open");
    assert_eq!(gateway.closed(), ["a=", "stuck-1=", "stuck-2=", "z="]);
    let off: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&off["status"], &off["closed"], &off["notClosed"]),
        (&json!("inactive"), &json!(2), &json!(2))
    );
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("cannot close 2 of 4 connections: 2 x close connection"), "{error}");

    let output = gateway.nsl("app delete shop --yes --json --settle 0").await;
    let deleted: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "their requests are rejected");
    assert_eq!(
        (&deleted["deleted"], &deleted["closed"], &deleted["notClosed"]),
        (&json!(true), &json!(2), &json!(2))
    );
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot close 2 of 4 connections"));
    assert_eq!(
        (gateway.count("AppsTable").await, gateway.count("ConnectionsTable").await),
        (FREE_ID_ROWS, 0)
    );
}

#[tokio::test]
async fn deleting_erases_only_the_applications_rows() {
    let gateway = Gateway::with_shop("delete").await;
    gateway.documents("app create --app-id bank --json").await;
    gateway.put("ConnectionsTable", "app#shop", "p#a=").await;
    gateway.put("ConnectionsTable", "app#bank", "p#b=").await;
    let hour = |app: &str| format!("{app}#{}#0", this_hour());
    for index in 0..30 {
        gateway.put("ReportsTable", &hour("shop"), &format!("{index}")).await;
    }
    gateway.put("ReportsTable", &hour("bank"), "0").await;
    gateway.documents("app update shop --shards 2 --json").await;
    for app in ["shop", "bank"] {
        for partition in ["1m#0", "10m#0", "1h#0", "1d#0", "sources", "quarantine"] {
            gateway.put("RollupsTable", &format!("{app}#{partition}"), "a").await;
        }
    }
    gateway.put("RollupsTable", "shop#1m#1", "a").await;
    for app in ["shop", "bank"] {
        gateway.put("LogsTable", app, "a").await;
        gateway.put("ConnectionsTable", &format!("commands#{app}"), "console_toggle").await;
    }
    assert!(gateway.error("app delete shop").await.contains("--yes"));
    assert_eq!(gateway.count("ReportsTable").await, 31, "nothing is deleted without --yes");
    let deleted = gateway.document("app delete shop --yes --json --settle 0").await;
    assert_eq!(
        (&deleted["deleted"], &deleted["closed"], &deleted["erased"]),
        (&json!(true), &json!(1), &json!(40))
    );
    assert_eq!(gateway.closed(), ["a="]);
    assert_eq!(
        (
            gateway.count("AppsTable").await,
            gateway.count("ConnectionsTable").await,
            gateway.count("ReportsTable").await
        ),
        (2 + FREE_ID_ROWS, 2, 1)
    );
    assert_eq!(gateway.count("LogsTable").await, 1, "the other application's");
    assert_eq!(gateway.count("RollupsTable").await, 6, "the other application's");
    assert!(gateway.error("app delete shop --yes").await.contains("no application"));
}

#[tokio::test]
async fn rows_stored_during_the_deletion_are_erased_too() {
    let gateway = Gateway::with_shop("settle").await;
    gateway.put("RollupsTable", "shop#sources", "a").await;
    let (gateway, hour) = (&gateway, format!("shop#{}#0", this_hour()));
    let functions = async {
        gateway.until_count("RollupsTable", 0).await;
        gateway.put("ReportsTable", &hour, "0").await;
        gateway.put("RollupsTable", "shop#sources", "a").await;
        gateway.until_count("AppsTable", FREE_ID_ROWS).await;
        gateway.put("RollupsTable", "shop#1m#0", "a").await;
    };
    let (deleted, ()) = tokio::join!(gateway.documents("app delete shop --yes --json --settle 2"), functions);
    assert_eq!(deleted[0]["erased"], 4);
    assert_eq!((gateway.count("ReportsTable").await, gateway.count("RollupsTable").await), (0, 0));
}

/// The current hour, as in partition keys.
fn this_hour() -> String {
    #[expect(clippy::disallowed_methods, reason = "reports must lie within their retention")]
    let now = jiff::Timestamp::now().to_string();
    now[..13].to_owned()
}
