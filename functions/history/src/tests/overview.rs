//! The overview: its applications, their rows, and its cost.

use nsl_domain::ids::UserId;
use nsl_domain::time::SECOND_MS;
use nsl_test_support::hosts::{Host, Kind};
use nsl_test_support::prices::{self, Prices};

use super::*;

const LIST_APPS: &str = "Query AppsTable by byOwner eventual";
const READ_NEWEST: &str = "Query ReportsTable eventual";

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
        service.store(name, "web-2", -80_000, r#"{"cpu":{"usage":20}}"#).await;
        service.store(name, "web-3", -10 * MINUTE_MS, r#"{"cpu":{"usage":90}}"#).await;
    }
    service
}

#[tokio::test]
async fn key_gets_its_application() {
    let service = three_apps().await;
    let shop = json!({"appId": "shop", "name": "shop", "status": "active",
        "lastReport": "2026-11-22T12:59:41.387Z", "sources": 2, "cpu": 15, "memory": 40});
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
async fn application_that_starts_is_shown_at_once() {
    let service = TestService::start().await;
    service.store("shop", "web-3", -10 * MINUTE_MS, r#"{"cpu":{"usage":90}}"#).await;
    service.store("shop", "web-1", -2_000, r#"{"cpu":{"usage":10}}"#).await;
    service.store("shop", "web-2", -1_000, r#"{"cpu":{"usage":20}}"#).await;
    let answer = service.get(overview(grant("shop", Scope::VIEW))).await.json();
    let shop = &answer["apps"][0];
    assert_eq!((&shop["sources"], &shop["cpu"]), (&json!(2), &json!(15)));
    assert_eq!(shop["lastReport"], "2026-11-22T13:01:00.387Z");
}

#[tokio::test]
async fn silent_application_keeps_its_last_report() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -20 * HOUR_MS, r#"{"cpu":{"usage":10}}"#).await;
    let answer = service.get(overview(grant("shop", Scope::VIEW))).await.json();
    let shop = &answer["apps"][0];
    assert_eq!((&shop["sources"], &shop["cpu"]), (&json!(0), &Value::Null));
    assert_eq!(shop["lastReport"], "2026-11-21T17:01:01.387Z");
}

#[tokio::test]
async fn minute_without_activity_is_read_from_its_rollup() {
    let service = TestService::start().await;
    for activity in [None, Some(json!({"S": "no activity"})), Some(json!({"N": "1"}))] {
        service.store("shop", "web-1", -90_000, r#"{"cpu":{"usage":10}}"#).await;
        let mut rows = service.env.rows("RollupsTable").await;
        rows.retain(|row| row["pk"]["S"] == "shop#1m#0");
        assert!(rows[0]["activity"]["S"].is_string(), "{rows:?}");
        match &activity {
            Some(activity) => rows[0]["activity"] = activity.clone(),
            None => drop(rows[0].as_object_mut().unwrap().remove("activity")),
        }
        service.env.put("RollupsTable", rows.remove(0)).await;
        let answer = service.get(overview(grant("shop", Scope::VIEW))).await.json();
        let shop = &answer["apps"][0];
        assert_eq!((&shop["sources"], &shop["cpu"]), (&json!(1), &json!(10)), "{activity:?}");
        assert_eq!(shop["lastReport"], "2026-11-22T12:59:31.387Z");
    }
}

#[tokio::test]
async fn overview_costs_three_queries_of_each_active_application() {
    let service = three_apps().await;
    let history = service.instance();
    // The last three minutes lie in two hours, at one minute past one.
    let operations = [LIST_APPS, READ_APP, READ_ROLLUPS, READ_NEWEST];
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

/// Stores the newest minutes of ten applications of ann, each of `sources` hosts that report once a second.
async fn ten_apps(sources: u64) -> TestService {
    let service = TestService::start().await;
    let mut hosts: Vec<Host> = (0..sources).map(|index| Host::new(Kind::Linux, index)).collect();
    for index in 1..10 {
        service.env.register(&app(&format!("shop-{index}"))).await;
    }
    let (rollups, reports) = (service.env.rollups(), service.env.reports());
    let owned = service.env.apps().of_owner(&UserId::new("ann").unwrap()).await.unwrap();
    for minute in -4..=0 {
        let span = RollupSpan::containing(Resolution::Minute, now().plus_ms(minute * MINUTE_MS));
        let mut builder = MinuteBuilder::new(span);
        for second in 0..60 {
            for host in &mut hosts {
                let (document, timestamp) = (host.next_document(), span.start().plus_ms(second * SECOND_MS));
                builder.add(timestamp, &host.source, document.hash(), document.as_str()).unwrap();
                // As many as the newest reports can be.
                for owned in owned.iter().filter(|_| now().ms_since(timestamp).abs() < 10 * SECOND_MS) {
                    let report = Report {
                        app: owned.id.clone(),
                        source: host.source.clone(),
                        timestamp,
                        document: document.clone(),
                    };
                    reports.store(&report, &app(owned.id.as_str()), 48 * HOUR_MS).await.unwrap();
                }
            }
        }
        let activity = builder.activity();
        let mut rollup = builder.finish();
        let bytes = rollup.to_bytes().unwrap();
        for owned in &owned {
            let shard = AppShard { app: owned.id.clone(), shard: 0 };
            rollups.put_with(activity.as_ref(), &shard, &rollup, bytes.clone(), None).await.unwrap();
        }
    }
    service.env.forget_calls();
    service
}

/// Milliseconds of an invocation that COST assumes for a query.
const QUERY_MS: f64 = 50.0;

/// What ten applications cost, a million times, while each reply was computed from the raw reports.
const OLD_DOLLARS: f64 = 228.0;

#[tokio::test]
async fn ten_applications_cost_at_most_a_tenth() {
    let prices = Prices::documented();
    for sources in [3, 40] {
        let service = ten_apps(sources).await;
        let history = service.instance();
        get(&history, overview(of_owner("ann"))).await;
        service.env.forget_calls();
        let answer = get(&history, overview(of_owner("ann"))).await.json();
        assert!(answer["apps"].as_array().unwrap().iter().all(|app| app["sources"] == sources));
        let consumed = service.env.take_consumed();
        assert!(consumed.iter().all(nsl_test_support::ConsumedCapacity::is_read));
        let units: f64 = consumed.iter().map(|one| one.units).sum();
        let dollars = prices.http_request + prices.invocation(QUERY_MS) + units * prices.read_unit;
        println!("{sources} sources: {} calls, {units} read units, {dollars} dollars", consumed.len());
        assert!(dollars <= OLD_DOLLARS / 10.0, "{sources} sources: {dollars}");
        let documented = prices::documented_row("a million of `GET /apps` for an owner's ten applications");
        assert!(dollars <= documented + 0.01, "{sources} sources: {dollars}, documented {documented}");
    }
}
