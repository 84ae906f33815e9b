//! `nsl status` with access to the tables: without an app, without a credential, and without a response.

use crate::gateway::Gateway;
use crate::repair::{MINUTE_MS, put_report};
use serde_json::{Value, json};

fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "reports must lie within their retention")]
    jiff::Timestamp::now().as_millisecond()
}

#[tokio::test]
async fn status_without_an_application_shows_service_and_tables() {
    let gateway = Gateway::start("status").await;
    let status = gateway.document("status --json").await;
    assert_eq!((&status["status"], &status["version"]), (&json!("ok"), &json!("9.9.9")));
    assert_eq!((&status["appId"], &status["sources"]), (&json!(null), &json!(null)));
    let tables = status["tables"].as_array().unwrap();
    assert!(tables.len() == 5 && tables.iter().all(|table| table["status"] == "ACTIVE"), "{status}");
    let output = gateway.nsl("status").await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("service  http://"), "{text}");
    assert!(text.contains("\ntable    RollupsTable active, 0 items"), "{text}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("name an application"));
}

#[tokio::test]
async fn application_without_a_credential_is_read_from_the_tables() {
    let gateway = Gateway::with_shop("status-app").await;
    let (newest_ms, earlier_ms) = (now_ms() - MINUTE_MS, now_ms() - 120 * MINUTE_MS);
    put_report(&gateway, earlier_ms).await;
    gateway.documents(&format!("repair shop --from {earlier_ms} --json")).await;
    put_report(&gateway, newest_ms).await;
    let status = gateway.document("status shop --json").await;
    assert_eq!(
        (&status["sources"][0]["source"], status["sources"].as_array().unwrap().len()),
        (&json!("web-1"), 1)
    );
    let newest = jiff::Timestamp::from_millisecond(newest_ms).unwrap();
    assert_eq!(status["newestReport"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap(), newest);
    let rolled_up_to: jiff::Timestamp = status["rolledUpTo"].as_str().unwrap().parse().unwrap();
    let behind_ms = newest_ms - rolled_up_to.as_millisecond();
    assert!((earlier_ms..=earlier_ms + MINUTE_MS).contains(&rolled_up_to.as_millisecond()), "{status}");
    assert_eq!(status["rollupsBehindMs"], behind_ms);
    let text = gateway.text("status shop").await;
    assert!(text.contains(&format!(", {} s behind the newest report\n", behind_ms / 1_000)), "{text}");
    assert!(gateway.error("status unknown").await.contains("no application unknown"));
}

#[tokio::test]
async fn service_that_does_not_respond_is_shown_with_its_tables() {
    let gateway = Gateway::with_shop("status-down").await;
    let output = gateway.nsl("status shop --json --http http://127.0.0.1:1").await;
    assert!(!output.status.success(), "the service is down");
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&status["status"], &status["appId"]), (&json!(null), &json!("shop")));
    assert_eq!(status["tables"].as_array().unwrap().len(), 5);
    assert!(
        String::from_utf8(output.stderr).unwrap().contains("cannot connect to http://127.0.0.1:1/health")
    );
}
