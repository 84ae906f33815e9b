//! Who may not ask, and what may not be asked: `{message, code, field?}` with its status.

use nsl_test_support::Failure;

use super::*;

/// Attempts of one call, the first included: `nsl_aws::boot` says so.
const ATTEMPTS: usize = 3;

/// Status, code and field of a refusal, whose message is for people.
fn refusal(answer: &Answer) -> (u16, String, Option<String>) {
    let body = answer.json();
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
    let field = body.get("field").map(|field| field.as_str().unwrap().to_owned());
    (answer.status, body["code"].as_str().unwrap().to_owned(), field)
}

fn told(status: u16, code: &str, field: &str) -> (u16, String, Option<String>) {
    (status, code.to_owned(), (!field.is_empty()).then(|| field.to_owned()))
}

#[tokio::test]
async fn without_a_grant_it_is_401() {
    let world = World::start().await;
    for route in [METRICS, LATEST] {
        let answer = world.ask(Call { route, grant: None, ..Call::default() }).await;
        assert_eq!(refusal(&answer), told(401, "unauthorized", ""));
    }
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_401() {
    let world = World::start().await;
    let mut stale = grant("shop", Scope::View);
    stale.proof = Proof::Key(KeyRecord::of("an old key", Scope::View).id);
    let answer = world.ask(Call { grant: Some(stale), ..Call::default() }).await;
    assert_eq!(refusal(&answer), told(401, "unauthorized", ""));
}

#[tokio::test]
async fn a_foreign_and_an_unknown_app_are_403_alike() {
    let world = World::start().await;
    world.env.register(&app("bank")).await;
    for route in [METRICS, LATEST] {
        let foreign = world.ask(Call { route, app: "bank", ..Call::default() }).await;
        let unknown = world.ask(Call { route, app: "nowhere", ..Call::default() }).await;
        assert_eq!(foreign.status, 403);
        assert_eq!((foreign.status, &foreign.text), (unknown.status, &unknown.text));
        assert_eq!(refusal(&foreign).1, "forbidden");
    }
}

#[tokio::test]
async fn a_grant_to_publish_reads_nothing() {
    let world = World::start().await;
    let publisher = Some(grant("shop", Scope::Publish));
    let answer = world.ask(Call { grant: publisher, ..Call::default() }).await;
    assert_eq!(refusal(&answer).1, "forbidden");
}

#[tokio::test]
async fn an_app_that_is_switched_off_is_403() {
    let world = World::start().await;
    let mut old = app("old");
    old.status = Status::Inactive;
    world.env.register(&old).await;
    let call = Call { app: "old", grant: Some(grant("old", Scope::View)), ..Call::default() };
    assert_eq!(refusal(&world.ask(call).await), told(403, "app_inactive", ""));
}

#[tokio::test]
async fn a_question_that_means_nothing_is_400_and_told_which_part() {
    let world = World::start().await;
    for (query, code, field) in [
        ("timeRange=year", "invalid_field", "timeRange"),
        ("timeRange=", "invalid_field", "timeRange"),
        ("timeRange=hour&from=0", "invalid_field", "timeRange"),
        ("to=2026-11-22T13:00:00Z", "missing_field", "from"),
        ("from=yesterday", "invalid_field", "from"),
        ("from=2026-11-22T13:00:00Z&to=2026-11-22T12:00:00Z", "invalid_field", "from"),
        ("from=2016-11-22T00:00:00Z&to=2026-11-22T00:00:00Z", "invalid_field", "from"),
        ("timeRange=week&step=60", "invalid_field", "step"),
        ("step=86401", "invalid_field", "step"),
        ("step=0", "invalid_field", "step"),
        ("step=fast", "invalid_field", "step"),
        ("series=", "invalid_field", "series"),
        ("agg=median", "invalid_field", "agg"),
    ] {
        let answer = world.ask(Call { query, ..Call::default() }).await;
        assert_eq!(refusal(&answer), told(400, code, field), "{query}");
    }
    let answer = world.ask(Call { app: "a#b", ..Call::default() }).await;
    assert_eq!(refusal(&answer), told(400, "invalid_field", "appId"));
}

#[tokio::test]
async fn an_answer_that_nobody_could_deliver_is_400_and_told_what_fits() {
    let world = World::start().await;
    let numbers: Vec<usize> = (0..100).collect();
    world.store("shop", "web-1", -3 * MINUTE_MS, &serde_json::json!({ "n": numbers }).to_string()).await;
    let names: Vec<String> = (0..100).map(|index| format!("n.{index}")).collect();
    let day = |series: usize, words: &str| {
        format!("timeRange=day&step=60&series={}{words}", names[..series].join(","))
    };
    let nine = "&agg=avg,min,max,p50,p95,p99,last,count,sum";
    for (route, query, fits) in [
        (METRICS, day(15, nine), true),
        (METRICS, day(16, nine), false),
        (METRICS, day(64, ""), true),
        (METRICS, day(65, ""), false),
        (SUMMARY, day(64, ""), true),
        (SUMMARY, day(65, ""), false),
        (SUMMARY, format!("series={}", names.join(",")), true),
    ] {
        let answer = world.ask(Call { route, query: &query, ..Call::default() }).await;
        if fits {
            assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        } else {
            assert_eq!(refusal(&answer), told(400, "too_many_series", "series"), "{query}");
            assert!(answer.text.contains("1440 points"), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_path_that_is_none_is_404() {
    let world = World::start().await;
    for route in ["GET /nowhere", "GET /apps/{appId}"] {
        let answer = world.ask(Call { route, ..Call::default() }).await;
        assert_eq!(refusal(&answer), told(404, "not_found", ""));
    }
}

#[tokio::test]
async fn a_store_out_of_reach_is_503_and_passes() {
    let world = World::start().await;
    let history = world.instance();
    for operation in ["GetItem", "Query"] {
        world.env.dynamodb.fail(operation, Failure::InternalError, ATTEMPTS);
        let answer = ask(&history, Call::default()).await;
        assert_eq!(refusal(&answer), told(503, "unavailable", ""), "{operation}");
    }
    world.env.dynamodb.go_offline();
    for route in [METRICS, LATEST] {
        let answer = ask(&history, Call { route, ..Call::default() }).await;
        assert_eq!(refusal(&answer), told(503, "unavailable", ""));
    }
    world.env.dynamodb.go_online();
    assert_eq!(ask(&history, Call::default()).await.status, 200);
}
