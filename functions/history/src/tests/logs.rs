//! Log entries over HTTP: which, in what order, for whom, and at what cost.

use nsl_domain::ids::ConnectionId;
use nsl_domain::legacy::logs::MAX_SHOWN_ENTRIES;
use serde_json::json;

use super::*;

const LOGS: &str = "GET /apps/{appId}/logs";

impl World {
    /// Keeps `entries` that arrived `age_ms` before the present.
    async fn keep(&self, age_ms: i64, entries: &[Value]) {
        let entries: Vec<String> = entries.iter().map(Value::to_string).collect();
        let logs = self.env.log_entries();
        let at = TimestampMs::clamped(NOW_MS - age_ms);
        logs.put(&id("shop"), &ConnectionId::new("l="), &entries, at).await.unwrap();
        self.env.take_calls();
    }
}

fn asked(query: &str) -> Call<'_> {
    Call { route: LOGS, query, ..Call::default() }
}

#[tokio::test]
async fn a_range_shows_its_entries_oldest_first() {
    let world = World::start().await;
    for (age_ms, n) in [(47 * HOUR_MS, 1), (2 * HOUR_MS, 2), (MINUTE_MS, 3)] {
        world.keep(age_ms, &[json!({"n": n}), json!({"n": n, "second": true})]).await;
    }
    for (query, first) in [("", 3), ("timeRange=hour", 3), ("timeRange=day", 2), ("timeRange=week", 1)] {
        let answer = world.ask(asked(query)).await.json();
        let numbers: Vec<i64> =
            answer["logs"].as_array().unwrap().iter().map(|entry| entry["n"].as_i64().unwrap()).collect();
        let expected: Vec<i64> = (first..=3).flat_map(|n| [n, n]).collect();
        assert_eq!(numbers, expected, "{query}");
        assert_eq!((&answer["appId"], &answer["complete"]), (&json!("shop"), &json!(true)));
    }
}

#[tokio::test]
async fn what_is_past_its_two_days_is_not_shown_though_it_is_there() {
    let world = World::start().await;
    world.keep(48 * HOUR_MS, &[json!({"n": 1})]).await;
    world.keep(48 * HOUR_MS - 1_000, &[json!({"n": 2})]).await;
    let answer = world.ask(asked("timeRange=week")).await.json();
    assert_eq!(answer["logs"], json!([{"n": 2}]));
}

#[tokio::test]
async fn the_newest_thousand_are_shown_and_that_there_were_more_is_told() {
    let world = World::start().await;
    let most = i64::try_from(MAX_SHOWN_ENTRIES).unwrap();
    for frame in 0..=most / 100 {
        let entries: Vec<Value> = (0..100).map(|n| json!({"n": frame * 100 + n})).collect();
        world.keep(MINUTE_MS - frame, &entries).await;
    }
    let answer = world.ask(asked("")).await.json();
    let shown = answer["logs"].as_array().unwrap();
    assert_eq!((shown.len(), &shown[0]["n"], &answer["complete"]), (1_000, &json!(100), &json!(false)));
}

#[tokio::test]
async fn an_answer_costs_one_query_and_its_tag_holds_until_something_is_logged() {
    let world = World::start().await;
    world.keep(MINUTE_MS, &[json!({"n": 1})]).await;
    let history = world.instance();
    let answer = ask(&history, asked("timeRange=day")).await;
    assert_eq!(world.env.take_lines(), ["GetItem AppsTable consistent", "Query LogsTable consistent"]);
    let again = ask(&history, Call { has: &answer.tag, ..asked("timeRange=day") }).await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    assert_eq!(world.env.take_lines(), ["Query LogsTable consistent"]);
    world.keep(0, &[json!({"n": 2})]).await;
    let changed = ask(&history, Call { has: &answer.tag, ..asked("timeRange=day") }).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.tag, answer.tag);
}

#[tokio::test]
async fn who_may_not_view_sees_no_log() {
    let world = World::start().await;
    world.env.register(&app("bank")).await;
    world.keep(MINUTE_MS, &[json!({"n": 1})]).await;
    for (grant, app, status) in [
        (None, "shop", 401),
        (Some(grant("shop", Scope::Publish)), "shop", 403),
        (Some(grant("bank", Scope::View)), "shop", 403),
        (Some(grant("shop", Scope::View)), "nowhere", 403),
        (Some(Grant { proof: Proof::Legacy, ..super::grant("shop", Scope::View) }), "shop", 401),
    ] {
        assert_eq!(world.ask(Call { app, grant, ..asked("") }).await.status, status);
    }
    assert_eq!(world.ask(asked("timeRange=year")).await.status, 400);
}
