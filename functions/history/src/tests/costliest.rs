//! The costliest HTTP calls of docs/SECURITY.md, "The costliest request of each caller".

use nsl_domain::rollup::MAX_BYTES;
use nsl_domain::window::MAX_POINTS;
use nsl_test_support::RequestCost;
use nsl_test_support::prices::{Prices, QUERY_MS};

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

/// Computed, not measured: 184 MB of rollups, and as many of the window before.
#[tokio::test]
async fn summary_of_full_rollups_is_the_costliest_call_of_a_viewer() {
    let prices = Prices::documented();
    let bytes = 2 * MAX_POINTS * MAX_BYTES;
    let units = bytes as f64 / 4_096.0 / 2.0;
    let dollars = prices.http_request + prices.invocation(QUERY_MS) + units * prices.read_unit;
    // A page of a Query is a megabyte.
    let calls = bytes.div_ceil(1_024 * 1_024);
    RequestCost { calls, bytes: 0, dollars }.assert_documented("viewer, HTTP");
}
