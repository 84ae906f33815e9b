//! Rejections: `{message, code, field?}` with the status of the code.

use std::time::Duration;

use nsl_aws::deadline;
use nsl_domain::app::KeyRecord;
use nsl_test_support::Failure;

use super::*;

/// Attempts of one call of DynamoDB, the first included: see `nsl_aws::boot`.
const ATTEMPTS: usize = 3;

/// Asserts status, code and field (empty: none) of a rejection, which also has a message.
fn assert_rejected(answer: &Answer, (status, code, field): (u16, &str, &str)) {
    let body = answer.json();
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
    let found = (
        answer.status,
        body["code"].as_str().unwrap(),
        body.get("field").map_or("", |field| field.as_str().unwrap()),
    );
    assert_eq!(found, (status, code, field));
}

#[tokio::test]
async fn only_viewers_of_an_active_app_are_answered() {
    let service = TestService::start().await;
    let inactive = App { status: Status::Inactive, ..app("old") };
    for app in [&app("bank"), &inactive] {
        service.env.register(app).await;
    }
    let revoked = Proof::Key(KeyRecord::of("an old key", Scope::VIEW).id);
    let revoked = Grant { proof: revoked, ..grant("shop", Scope::VIEW) };
    let legacy = Grant { proof: Proof::Legacy, ..grant("shop", Scope::VIEW) };
    for (app, grant, expected) in [
        ("shop", None, (401, "unauthorized", "")),
        ("shop", Some(revoked), (401, "unauthorized", "")),
        ("shop", Some(legacy), (401, "unauthorized", "")),
        ("shop", Some(grant("shop", Scope::PUBLISH)), (403, "forbidden", "data.appId")),
        ("bank", Some(grant("shop", Scope::VIEW)), (403, "forbidden", "data.appId")),
        ("nowhere", Some(grant("shop", Scope::VIEW)), (403, "forbidden", "data.appId")),
        ("old", Some(grant("old", Scope::VIEW)), (403, "app_inactive", "")),
        ("a#b", Some(grant("shop", Scope::VIEW)), (400, "invalid_field", "appId")),
        (".", Some(grant("shop", Scope::VIEW)), (400, "invalid_field", "appId")),
        ("..", Some(grant("shop", Scope::VIEW)), (400, "invalid_field", "appId")),
    ] {
        for route in [METRICS, LATEST, LOGS] {
            assert_rejected(&service.get(Call { app, grant: grant.clone(), ..call(route) }).await, expected);
        }
    }
    // The answer does not reveal whether an application exists.
    let [foreign, unknown] = ["bank", "nowhere"].map(|app| service.get(Call { app, ..call(METRICS) }));
    assert_eq!(foreign.await.text, unknown.await.text);
}

#[tokio::test]
async fn invalid_query_is_400_with_its_parameter() {
    let service = TestService::start().await;
    for (query, code, field) in [
        ("to=2026-11-22T13:00:00Z", "missing_field", "from"),
        ("timeRange=week&step=60", "invalid_field", "step"),
        ("from=253402207200000&to=253402207260000", "invalid_field", "from"),
        ("from=253402127999999&to=253402300799999", "invalid_field", "to"),
        ("series=", "invalid_field", "series"),
        ("agg=median", "invalid_field", "agg"),
    ] {
        assert_rejected(&service.get(metrics(query)).await, (400, code, field));
    }
    for route in [METRICS, SUMMARY, LOGS] {
        let call = Call { query: "timeRange=year", ..call(route) };
        assert_rejected(&service.get(call).await, (400, "invalid_field", "timeRange"));
    }
}

#[tokio::test]
async fn window_at_either_end_of_the_range_is_answered() {
    let service = TestService::start().await;
    for query in ["from=253402127999999&to=253402128000000", "from=0&to=1"] {
        for route in [METRICS, SUMMARY] {
            assert_eq!(service.get(Call { query, ..call(route) }).await.status, 200, "{query}");
        }
    }
}

#[tokio::test]
async fn query_that_means_something_else_is_400_with_a_hint() {
    let service = TestService::start().await;
    for (query, field, hint) in [
        ("timerange=day", "timerange", "did you mean timeRange?"),
        ("timeRange=day&timeRange=week", "timeRange", "must not be repeated"),
        ("from=1795348800&to=1795352400", "from", "seems to be seconds"),
        ("from=2026-11-22T10:00:00+02:00", "from", "%2B"),
        ("from=%zz", "from", "%25"),
        ("from=&to=2026-11-22T13:00:00Z", "from", "must not be empty"),
        ("from=2026-11-22T13:00:00Z&to=2026-11-22T12:00:00Z", "from", "must be before to"),
    ] {
        for route in [METRICS, SUMMARY] {
            let answer = service.get(Call { query, ..call(route) }).await;
            assert_rejected(&answer, (400, "invalid_field", field));
            assert!(answer.text.contains(hint), "{query}: {}", answer.text);
        }
    }
    for route in [LOGS, LATEST, SERIES, APPS, "GET /health"] {
        let answer = service.get(Call { query: "from=2026-11-22T13:00:00Z", ..call(route) }).await;
        assert_rejected(&answer, (400, "invalid_field", "from"));
    }
}

#[tokio::test]
async fn too_large_answer_is_400_with_what_fits() {
    let service = TestService::start().await;
    let numbers: Vec<usize> = (0..100).collect();
    service.store("shop", "web-1", -3 * MINUTE_MS, &serde_json::json!({ "n": numbers }).to_string()).await;
    let names: Vec<String> = (0..100).map(|index| format!("n.{index}")).collect();
    let day = |series: usize, parameters: &str| {
        format!("timeRange=day&step=60&series={}{parameters}", names[..series].join(","))
    };
    let nine = "&agg=avg,min,max,p50,p95,p99,last,count,sum";
    for (route, query) in [(METRICS, day(16, nine)), (METRICS, day(65, "")), (SUMMARY, day(65, nine))] {
        let answer = service.get(Call { query: &query, ..call(route) }).await;
        assert_rejected(&answer, (400, "too_many_series", "series"));
        assert!(answer.text.contains("1440 points"), "{}", answer.text);
    }
    let most = day(64, nine);
    assert_eq!(service.get(Call { query: &most, ..call(SUMMARY) }).await.status, 200, "totals ignore agg");
}

#[tokio::test]
async fn unknown_path_is_404() {
    let service = TestService::start().await;
    for route in ["GET /nowhere", "GET /apps/{appId}"] {
        assert_rejected(&service.get(call(route)).await, (404, "not_found", ""));
    }
}

#[tokio::test]
async fn unreachable_store_is_503_until_it_is_back() {
    let service = TestService::start().await;
    let history = service.instance();
    let unavailable = (503, "unavailable", "");
    for operation in ["GetItem", "Query"] {
        service.env.dynamodb.fail(operation, Failure::InternalError, ATTEMPTS);
        assert_rejected(&get(&history, call(METRICS)).await, unavailable);
    }
    service.env.dynamodb.go_offline();
    for route in [METRICS, LATEST] {
        assert_rejected(&get(&history, call(route)).await, unavailable);
    }
    service.env.dynamodb.go_online();
    assert_eq!(get(&history, call(METRICS)).await.status, 200);
}

#[tokio::test]
async fn panic_in_one_request_is_503_and_costs_no_other() {
    let service = TestService::start().await;
    let history = service.instance();
    for (operation, route) in
        [("GetItem", METRICS), ("Query", METRICS), ("Query", LATEST), ("Query", SUMMARY)]
    {
        service.env.panic_on(operation, "shop", 1);
        let answer = get(&history, call(route)).await;
        assert_rejected(&answer, (503, "unavailable", ""));
        assert!(!answer.text.contains("injected"), "{}", answer.text);
        assert_eq!(get(&history, call(route)).await.status, 200, "{operation} {route}");
    }
}

#[tokio::test]
async fn unresponsive_table_is_answered_before_the_function_ends() {
    let service = TestService::start().await;
    service.env.dynamodb.fail("GetItem", Failure::NoResponse, usize::MAX);
    let answer = deadline::within(Duration::from_secs(1), service.get(metrics("timeRange=hour"))).await;
    assert_rejected(&answer, (503, "unavailable", ""));
    assert_eq!(service.env.take_lines(), [READ_APP], "there is no time for a retry");
}
