//! The overview over HTTP: the applications of a credential and their state.

use serde_json::{Value, json};

use crate::system::harness::{App, Client, Gateway, nsl, report};

const OWNER: &str = "olga";

async fn overview(gateway: &Gateway, credential: &str) -> Vec<Value> {
    let response = gateway.get("/apps", Some(credential)).await;
    assert_eq!(response.status(), 200);
    let mut overview: Value = response.json().await.expect("an overview is JSON");
    assert_eq!(overview["complete"], true);
    serde_json::from_value(overview["apps"].take()).expect("a list of applications")
}

fn ids(apps: &[Value]) -> Vec<&str> {
    apps.iter().map(|app| app["appId"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn overview_lists_the_applications_of_the_credential() {
    let gateway = Gateway::shared();
    let busy = App::create_with(gateway, &["--owner", OWNER]).await;
    let silent = App::create_with(gateway, &["--owner", OWNER]).await;
    let foreign = App::create(gateway).await;
    let mut publisher = Client::authenticated(gateway, &busy).await;
    for (source, usage) in [("web-1", 30), ("web-2", 60)] {
        let metrics = json!({"cpu": {"usage": usage}, "memory": {"usagePercent": 50}});
        publisher.publish_as(source, report(&busy, json!({"source": source, "metrics": metrics}))).await;
    }

    let own = overview(gateway, &busy.api_key).await;
    assert_eq!(ids(&own), [busy.app_id.as_str()]);
    assert_eq!([&own[0]["sources"], &own[0]["cpu"], &own[0]["memory"]], [2, 45, 50]);
    assert_eq!(own[0]["status"], "active");
    assert!(own[0]["lastReport"].is_string(), "{}", own[0]);
    assert_eq!(ids(&overview(gateway, &foreign.api_key).await), [foreign.app_id.as_str()]);

    let issued = nsl(gateway, &["token", "issue", "--owner", OWNER]).await;
    let of_owner = overview(gateway, issued["token"].as_str().expect("a token")).await;
    let mut expected = [busy.app_id.as_str(), silent.app_id.as_str()];
    expected.sort_unstable();
    assert_eq!(ids(&of_owner), expected);
    let quiet = of_owner.iter().find(|app| app["appId"] == silent.app_id).expect("the silent one");
    assert_eq!((&quiet["lastReport"], &quiet["sources"]), (&Value::Null, &json!(0)));
}
