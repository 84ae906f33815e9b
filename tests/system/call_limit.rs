//! The limit of HTTP calls from outside.

use serde_json::Value;

use crate::system::harness::{App, Gateway, now_ms};

/// More than the limit, also where several instances share the calls.
const MAX_CALLS: usize = 2_000;

const DAY_MS: i64 = 24 * 3_600_000;

#[tokio::test]
async fn calls_of_one_credential_are_limited_with_retry_after() {
    let gateway = Gateway::shared();
    let (busy, calm) = (App::create(gateway).await, App::create(gateway).await);
    // A summary of a day of minutes counts as eighteen calls.
    let to = now_ms();
    let path = format!("/apps/{}/summary?from={}&to={to}&step=60", busy.app_id, to - DAY_MS);
    let mut limited = None;
    for _ in 0..MAX_CALLS {
        let response = gateway.get(&path, Some(&busy.api_key)).await;
        if response.status() == 429 {
            limited = Some(response);
            break;
        }
    }
    let limited = limited.expect("the calls of one credential are limited");
    let wait_s = limited.headers()["retry-after"].to_str().ok().and_then(|text| text.parse::<u64>().ok());
    assert!(wait_s.is_some_and(|wait_s| (1..=2).contains(&wait_s)), "{wait_s:?}");
    let rejection: Value = limited.json().await.expect("a rejection is JSON");
    assert_eq!(rejection["code"], "rate_limited");
    assert!(rejection["message"].as_str().is_some_and(|message| message.contains("try again in")));
    let path = format!("/apps/{}/metrics?timeRange=hour", calm.app_id);
    assert_eq!(gateway.get(&path, Some(&calm.api_key)).await.status(), 200);
}
