//! `nsl repair`: rollups from stored reports, and quarantined records.

use crate::gateway::Gateway;
use serde_json::{Value, json};

pub(crate) const MINUTE_MS: i64 = 60_000;

/// The start of the minute two hours ago.
fn two_hours_ago_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "reports must lie within their retention")]
    let now_ms = jiff::Timestamp::now().as_millisecond();
    (now_ms - 120 * MINUTE_MS) / MINUTE_MS * MINUTE_MS
}

pub(crate) async fn put_report(gateway: &Gateway, ms: i64) {
    let hour = jiff::Timestamp::from_millisecond(ms).unwrap().to_string()[..13].to_owned();
    let item = json!({"pk": {"S": format!("shop#{hour}#0")}, "sk": {"S": format!("{ms:015}#web-1#0011223344556677")},
        "appId": {"S": "shop"}, "source": {"S": "web-1"}, "timestamp": {"N": ms.to_string()},
        "document": {"S": r#"{"cpu":{"usage":12.5}}"#}, "expiresAt": {"N": "9999999999"}});
    gateway.put_item("ReportsTable", item).await;
}

#[tokio::test]
async fn repair_is_idempotent() {
    let gateway = Gateway::with_shop("repair").await;
    let from_ms = two_hours_ago_ms();
    for minute in [0, 0, 1, 1] {
        put_report(&gateway, from_ms + minute * MINUTE_MS + 387).await;
    }
    let span = format!("repair shop --from {from_ms} --to {} --json", from_ms + 2 * MINUTE_MS);
    let first = gateway.document(&span).await;
    assert_eq!((&first["appId"], &first["tooOld"]), (&json!("shop"), &json!(0)));
    let written = first["written"].as_u64().unwrap();
    // Two minutes, and one or two rollups of each coarser resolution.
    assert!((5..=8).contains(&written), "{first}");
    assert_eq!(gateway.count("RollupsTable").await as u64, written);
    let second = gateway.document(&span).await;
    assert_eq!((&second["written"], &second["unchanged"]), (&json!(0), &json!(written)));
    let text = gateway.text(&span.replace(" --json", "")).await;
    assert_eq!(text, format!("repaired shop: 0 rollups written, {written} unchanged\n"));
    let before = gateway.document("repair shop --from 0 --to 1000 --json").await;
    assert_eq!((&before["written"], &before["unchanged"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn repair_is_limited_by_the_services_retention() {
    let gateway = Gateway::with_shop("repair-kept").await;
    let from_ms = two_hours_ago_ms() - 5 * 24 * 60 * MINUTE_MS;
    put_report(&gateway, from_ms + 387).await;
    let span = format!("repair shop --from {from_ms} --to {} --json", from_ms + MINUTE_MS);
    let output = gateway.nsl(&span).await;
    assert!(String::from_utf8(output.stderr).unwrap().contains("assuming 48 hours"));
    assert_eq!(gateway.count("RollupsTable").await, 0, "the reports of such a minute may be gone");

    gateway.edit_ready(|ready| ready["outputs"]["RawRetentionHours"] = json!("240"));
    let output = gateway.nsl(&span).await;
    assert!(output.stderr.is_empty(), "nothing is assumed");
    let repaired: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(repaired["written"], 4, "one rollup of each resolution");
    let shown = gateway.document("app show shop --json").await;
    assert_eq!(shown["retentionHours"]["raw"], 240);
}

#[tokio::test]
async fn invalid_arguments_are_rejected() {
    let gateway = Gateway::with_shop("repair-rejected").await;
    for (arguments, expected) in [
        ("repair shop --from 2 --to 1", "--from must be before --to"),
        ("repair shop --from yesterday", "yesterday"),
        ("repair unknown --from 0", "no application unknown"),
        ("repair shop", "--from"),
    ] {
        let error = gateway.error(arguments).await;
        assert!(error.contains(expected), "{arguments}: {error}");
    }
}

#[tokio::test]
async fn quarantined_records_are_listed_by_application() {
    let gateway = Gateway::with_shop("quarantine").await;
    let record = format!("{{\"dynamodb\":\"{}\"}}", "x".repeat(200));
    let item = |pk: &str, sk: &str, expires_at: &str| {
        json!({"pk": {"S": pk}, "sk": {"S": sk}, "reason": {"S": "no report"}, "record": {"S": record},
            "expiresAt": {"N": expires_at}})
    };
    gateway.put_item("RollupsTable", item("shop#quarantine", "111", "9999999999")).await;
    gateway.put_item("RollupsTable", item("shop#quarantine", "112", "1")).await;
    gateway.put_item("RollupsTable", item("#quarantine", "113", "9999999999")).await;
    let listed = gateway.documents("repair shop --list --json").await;
    assert_eq!(listed.len(), 1, "expired records are not listed");
    assert_eq!((&listed[0]["sequence"], &listed[0]["reason"]), (&json!("111"), &json!("no report")));
    assert_eq!(listed[0]["record"], record);
    let without_app = gateway.documents("repair --list --json").await;
    assert_eq!((&without_app[0]["sequence"], &without_app[0]["appId"]), (&json!("113"), &json!(null)));
    let text = gateway.text("repair --list shop").await;
    assert!(text.starts_with("111  kept until 2286-11-20") && text.ends_with("…\n"), "{text}");
    let none = String::from_utf8(gateway.nsl("repair bank --list").await.stderr).unwrap();
    assert!(none.contains("no quarantined records"), "{none}");
}
