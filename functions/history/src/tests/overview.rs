//! The overview: its applications, their rows, and its cost.

use nsl_domain::ids::UserId;

use super::*;

const LIST_APPS: &str = "Query AppsTable by byOwner eventual";

/// The grant of a token for `reach` that may view.
fn token(reach: GrantedApps) -> Grant {
    Grant { reach, proof: Proof::Token { issued: now() }, ..grant("shop", Scope::VIEW) }
}

fn of_owner(owner: &str) -> Grant {
    token(GrantedApps::Owner(UserId::new(owner).unwrap()))
}

fn overview(grant: Grant) -> Call<'static> {
    Call { grant: Some(grant), ..call(APPS) }
}

fn ids(overview: &Value) -> Vec<&str> {
    overview["apps"].as_array().unwrap().iter().map(|app| app["appId"].as_str().unwrap()).collect()
}

/// `shop` and the inactive `cafe` of ann, and `bank` of bob.
async fn three_apps() -> TestService {
    let service = TestService::start().await;
    let cafe = App { status: Status::Inactive, ..app("cafe") };
    let bank = App { owner: UserId::new("bob").unwrap(), ..app("bank") };
    for app in [&cafe, &bank] {
        service.env.register(app).await;
    }
    for name in ["shop", "cafe", "bank"] {
        service.store(name, "web-1", -90_000, r#"{"cpu":{"usage":10},"memory":{"usagePercent":40}}"#).await;
        service.store(name, "web-2", -1_000, r#"{"cpu":{"usage":20}}"#).await;
        service.store(name, "web-3", -10 * MINUTE_MS, r#"{"cpu":{"usage":90}}"#).await;
    }
    service
}

#[tokio::test]
async fn key_gets_its_application() {
    let service = three_apps().await;
    let shop = json!({"appId": "shop", "name": "shop", "status": "active",
        "lastReport": "2026-11-22T13:01:00.387Z", "sources": 2, "cpu": 15, "memory": 40});
    let answer = service.get(overview(grant("shop", Scope::VIEW))).await.json();
    assert_eq!(answer, json!({"apps": [shop], "complete": true}));
}

#[tokio::test]
async fn owner_gets_every_own_application() {
    let service = three_apps().await;
    let answer = service.get(overview(of_owner("ann"))).await.json();
    assert_eq!(ids(&answer), ["cafe", "shop"]);
    // An inactive application has no values.
    let cafe = json!({"appId": "cafe", "name": "cafe", "status": "inactive",
        "lastReport": null, "sources": 0, "cpu": null, "memory": null});
    assert_eq!(answer["apps"][0], cafe);
    let answer = service.get(overview(of_owner("eve"))).await.json();
    assert_eq!(answer, json!({"apps": [], "complete": true}));
}

#[tokio::test]
async fn applications_that_reject_the_caller_are_left_out() {
    let service = three_apps().await;
    let vault = App { tokens_not_before: Some(now().plus_ms(1)), ..app("vault") };
    service.env.register(&vault).await;
    let listed = token(GrantedApps::Apps(["vault", "shop", "shop", "nowhere"].map(id).to_vec()));
    assert_eq!(ids(&service.get(overview(listed)).await.json()), ["shop"]);
    assert_eq!(ids(&service.get(overview(of_owner("ann"))).await.json()), ["cafe", "shop"]);
}

#[tokio::test]
async fn caller_that_may_view_nothing_gets_the_reason() {
    let service = three_apps().await;
    for (grant, status) in [
        (None, 401),
        (Some(Grant { until: Some(now()), ..of_owner("ann") }), 401),
        (Some(Grant { scope: Scope::PUBLISH, ..of_owner("ann") }), 403),
        (Some(grant("shop", Scope::PUBLISH)), 403),
        (Some(token(GrantedApps::Apps(vec![id("nowhere")]))), 403),
    ] {
        let answer = service.get(Call { grant: grant.clone(), ..call(APPS) }).await;
        assert_eq!(answer.status, status, "{grant:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn owner_of_many_applications_gets_the_first_fifty() {
    let service = TestService::start().await;
    for index in 0..50 {
        service.env.register(&app(&format!("app-{index:02}"))).await;
    }
    let answer = service.get(overview(of_owner("ann"))).await.json();
    assert_eq!((ids(&answer).len(), &answer["complete"]), (50, &json!(false)));
    assert_eq!(ids(&answer).last(), Some(&"app-49"));
}

#[tokio::test]
async fn overview_costs_the_latest_reports_of_each_active_application() {
    let service = three_apps().await;
    let history = service.instance();
    let operations = [LIST_APPS, READ_APP, READ_LAST_REPORTS, READ_TAIL];
    for (grant, counts) in [
        (grant("shop", Scope::VIEW), [0, 1, 1, 2]),
        (grant("shop", Scope::VIEW), [0, 0, 1, 2]),
        (of_owner("ann"), [1, 1, 1, 2]),
        (of_owner("ann"), [1, 0, 1, 2]),
    ] {
        get(&history, overview(grant)).await;
        assert_eq!(service.take_counts(operations), counts);
    }
}
