//! The overview: whose applications it tells, what of each, and what it costs.

use serde_json::json;

use super::*;

const APPS: &str = "GET /apps";
const READ_APP: &str = "GetItem AppsTable consistent";
const LIST_APPS: &str = "Query AppsTable by byOwner eventual";
const READ_LAST: &str = "Query RollupsTable consistent";
const READ_TAIL: &str = "Query ReportsTable consistent";

/// A token for `reach`, which may view.
fn token(reach: GrantedApps) -> Grant {
    Grant {
        reach,
        proof: Proof::Token { issued: TimestampMs::clamped(NOW_MS) },
        ..grant("shop", Scope::View)
    }
}

fn of_owner(owner: &str) -> Grant {
    token(GrantedApps::Owner(UserId::new(owner).unwrap()))
}

fn call(grant: Grant) -> Call<'static> {
    Call { route: APPS, grant: Some(grant), ..Call::default() }
}

fn ids(overview: &Value) -> Vec<&str> {
    overview["apps"].as_array().unwrap().iter().map(|app| app["appId"].as_str().unwrap()).collect()
}

/// Beside `shop` of ann, her `cafe`, which is switched off, and `bank` of bob.
async fn street() -> World {
    let world = World::start().await;
    let mut cafe = app("cafe");
    cafe.status = Status::Inactive;
    let mut bank = app("bank");
    bank.owner = UserId::new("bob").unwrap();
    for app in [&cafe, &bank] {
        world.env.register(app).await;
    }
    for name in ["shop", "cafe", "bank"] {
        world.store(name, "web-1", -90_000, r#"{"cpu":{"usage":10},"memory":{"usagePercent":40}}"#).await;
        world.store(name, "web-2", -1_000, r#"{"cpu":{"usage":20}}"#).await;
        world.store(name, "web-3", -10 * MINUTE_MS, r#"{"cpu":{"usage":90}}"#).await;
    }
    world
}

#[tokio::test]
async fn a_key_is_told_of_its_own_application() {
    let world = street().await;
    let overview = world.ask(call(grant("shop", Scope::View))).await.json();
    let shop = json!({"appId": "shop", "name": "shop", "status": "active",
        "lastReport": "2026-11-22T13:01:00.387Z", "sources": 2, "cpu": 15, "memory": 40});
    assert_eq!(overview, json!({"apps": [shop], "complete": true}));
}

#[tokio::test]
async fn an_owner_is_told_of_every_own_application_and_of_no_other() {
    let world = street().await;
    let overview = world.ask(call(of_owner("ann"))).await.json();
    assert_eq!(ids(&overview), ["cafe", "shop"]);
    // Of one that is switched off nothing is told but that it is.
    let cafe = json!({"appId": "cafe", "name": "cafe", "status": "inactive",
        "lastReport": null, "sources": 0, "cpu": null, "memory": null});
    assert_eq!(overview["apps"][0], cafe);
    let nothing = world.ask(call(of_owner("eve"))).await.json();
    assert_eq!(nothing, json!({"apps": [], "complete": true}));
}

#[tokio::test]
async fn what_refuses_the_caller_is_left_out() {
    let world = street().await;
    let mut closed = app("vault");
    closed.tokens_not_before = Some(TimestampMs::clamped(NOW_MS + 1));
    world.env.register(&closed).await;
    let named = token(GrantedApps::Apps(["vault", "shop", "shop", "nowhere"].map(id).to_vec()));
    assert_eq!(ids(&world.ask(call(named)).await.json()), ["shop"]);
    assert_eq!(ids(&world.ask(call(of_owner("ann"))).await.json()), ["cafe", "shop"]);
}

#[tokio::test]
async fn a_caller_who_may_view_nothing_is_told_why() {
    let world = street().await;
    let mut aged = of_owner("ann");
    aged.until = Some(TimestampMs::clamped(NOW_MS));
    let mut publisher = of_owner("ann");
    publisher.scope = Scope::Publish;
    for (grant, status) in [
        (None, 401),
        (Some(aged), 401),
        (Some(publisher), 403),
        (Some(grant("shop", Scope::Publish)), 403),
        (Some(token(GrantedApps::Apps(vec![id("nowhere")]))), 403),
    ] {
        let answer = world.ask(Call { grant: grant.clone(), ..call(of_owner("ann")) }).await;
        assert_eq!(answer.status, status, "{grant:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_owner_of_many_is_told_of_fifty_and_that_there_are_more() {
    let world = World::start().await;
    for place in 0..50 {
        world.env.register(&app(&format!("app-{place:02}"))).await;
    }
    let overview = world.ask(call(of_owner("ann"))).await.json();
    assert_eq!((ids(&overview).len(), &overview["complete"]), (50, &json!(false)));
    assert_eq!(ids(&overview).last(), Some(&"app-49"));
}

#[tokio::test]
async fn an_overview_costs_what_the_latest_reports_of_each_application_cost() {
    let world = street().await;
    let history = world.instance();
    let of_one = [READ_LAST, READ_TAIL, READ_TAIL];
    for (grant, cold, warm) in [
        (grant("shop", Scope::View), vec![READ_APP], vec![]),
        (of_owner("ann"), vec![LIST_APPS, READ_APP], vec![LIST_APPS]),
    ] {
        for extra in [cold, warm] {
            ask(&history, call(grant.clone())).await;
            let mut lines = world.env.take_lines();
            lines.sort_unstable();
            let mut expected = [&extra[..], &of_one[..]].concat();
            expected.sort_unstable();
            assert_eq!(lines, expected);
        }
    }
}
