//! The costliest HTTP calls of docs/SECURITY.md, "The costliest request of each caller".

use nsl_domain::rollup::MAX_BYTES;
use nsl_test_support::RequestCost;
use nsl_test_support::prices::QUERY_MS;

use super::*;

#[tokio::test]
async fn page_is_the_costliest_open_call() {
    let service = TestService::start().await;
    let event = events::http_call("GET /", ("/", ""), &[], &[], None);
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let answer = service.instance().answer(&request, now()).await;
    // Without `Accept-Encoding`, which nothing requires of a caller.
    let bytes = match answer.body() {
        Body::Text(text) => text.len(),
        Body::Binary(bytes) => bytes.len(),
        other => panic!("{other:?}"),
    };
    RequestCost::of_http(&service.env, bytes, QUERY_MS).assert_documented("anybody, HTTP");
}

#[tokio::test]
async fn list_of_fifty_applications_is_the_costliest_call_of_an_owner() {
    let service = TestService::start().await;
    let document = json!({"cpu": {"usage": 10}, "memory": {"usagePercent": 40}, "text": "x".repeat(580)});
    for index in 0..50 {
        let name = format!("shop-{index:02}");
        service
            .env
            .register(&App { owner: nsl_domain::ids::UserId::new("olga").unwrap(), ..app(&name) })
            .await;
        for minute in 1..=3 {
            service.store(&name, "web-1", -minute * MINUTE_MS - 1, &document.to_string()).await;
        }
        for report in 0..16 {
            service.store(&name, "web-1", -1_000 * report, &document.to_string()).await;
        }
    }
    service.env.forget_calls();
    let owner = GrantedApps::Owner(nsl_domain::ids::UserId::new("olga").unwrap());
    let grant = Grant { reach: owner, proof: Proof::Token { issued: now() }, ..grant("shop", Scope::VIEW) };
    let answer = service.get(Call { grant: Some(grant), ..call(APPS) }).await;
    assert_eq!(answer.json()["apps"].as_array().unwrap().len(), 50);
    RequestCost::of_http(&service.env, answer.text.len(), QUERY_MS).assert_documented("owner");
}

/// Full rollups of 300 minutes are more than one call may read.
#[tokio::test]
async fn summary_of_full_rollups_is_the_costliest_call_of_a_viewer() {
    let service = TestService::start().await;
    let shard = AppShard { app: id("shop"), shard: 0 };
    for minute in 10..310 {
        let span = RollupSpan::containing(Resolution::Minute, now().plus_ms(-minute * MINUTE_MS));
        let rollup = MinuteBuilder::new(span).finish();
        service.env.rollups().put(&shard, &rollup, vec![0; MAX_BYTES], None).await.unwrap();
    }
    service.env.forget_calls();
    let history = service.instance();
    let query = "from=2026-11-21T13:01:00Z&to=2026-11-22T13:01:00Z&step=60";
    let answer = get(&history, Call { query, ..call(SUMMARY) }).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("too_large")));
    let cost = RequestCost::of_http(&service.env, answer.text.len(), QUERY_MS);
    // An engine ends a page before or after the row with which it exceeds a megabyte, and what else is read before the
    // budget is spent depends on the order of the replies.
    assert!((35..=45).contains(&cost.calls), "{cost:?}");
    RequestCost { calls: 41, ..cost }.assert_documented("viewer, HTTP");
    for status in [400, 429] {
        assert_eq!(get(&history, Call { query, ..call(SUMMARY) }).await.status, status);
    }
}
