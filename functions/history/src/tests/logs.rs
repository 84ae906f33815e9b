//! Log entries over HTTP.

use nsl_domain::ids::ConnectionId;
use nsl_domain::legacy::logs::MAX_SHOWN_ENTRIES;

use super::*;

const READ_LOGS: &str = "Query LogsTable consistent";

impl TestService {
    /// Stores `entries` that arrived `age_ms` ago.
    async fn log(&self, age_ms: i64, entries: &[Value]) {
        let entries: Vec<String> = entries.iter().map(Value::to_string).collect();
        let (connection, at) = (ConnectionId::new("l="), now().plus_ms(-age_ms));
        self.env.log_entries().put(&id("shop"), &connection, &entries, at).await.unwrap();
        self.env.take_calls();
    }
}

fn logs(query: &str) -> Call<'_> {
    Call { query, ..call(LOGS) }
}

#[tokio::test]
async fn time_range_has_its_entries_of_two_days_oldest_first() {
    let service = TestService::start().await;
    let two_days_ms = 48 * HOUR_MS;
    for (age_ms, n) in [(two_days_ms, 0), (two_days_ms - 1_000, 1), (2 * HOUR_MS, 2), (MINUTE_MS, 3)] {
        service.log(age_ms, &[json!(n), json!(n)].map(|n| json!({ "n": n }))).await;
    }
    for (query, numbers) in [
        ("", &[3, 3][..]),
        ("timeRange=hour", &[3, 3]),
        ("timeRange=day", &[2, 2, 3, 3]),
        ("timeRange=week", &[1, 1, 2, 2, 3, 3]),
    ] {
        let answer = service.get(logs(query)).await.json();
        let entries: Vec<Value> = numbers.iter().map(|n| json!({ "n": n })).collect();
        assert_eq!(answer["logs"], json!(entries), "{query}");
        assert_eq!((&answer["appId"], &answer["complete"]), (&json!("shop"), &json!(true)));
    }
}

#[tokio::test]
async fn newest_thousand_entries_are_answered() {
    let service = TestService::start().await;
    let most = i64::try_from(MAX_SHOWN_ENTRIES).unwrap();
    for frame in 0..=most / 100 {
        let entries: Vec<Value> = (0..100).map(|n| json!({"n": frame * 100 + n})).collect();
        service.log(MINUTE_MS - frame, &entries).await;
    }
    let answer = service.get(logs("")).await.json();
    let entries = answer["logs"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[0]["n"], &answer["complete"]), (1_000, &json!(100), &json!(false)));
}

#[tokio::test]
async fn logs_cost_one_query_and_their_tag_holds_until_an_entry() {
    let service = TestService::start().await;
    service.log(MINUTE_MS, &[json!({"n": 1})]).await;
    let history = service.instance();
    let answer = get(&history, logs("timeRange=day")).await;
    assert_eq!(service.take_counts([READ_APP, READ_LOGS]), [1, 1]);
    let tagged = Call { if_none_match: &answer.tag, ..logs("timeRange=day") };
    let again = get(&history, tagged.clone()).await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    assert_eq!(service.take_counts([READ_LOGS]), [1]);
    service.log(0, &[json!({"n": 2})]).await;
    let changed = get(&history, tagged).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.tag, answer.tag);
}
