//! The limit of the calls of a credential.

use nsl_domain::time::SECOND_MS;

use super::*;

/// What docs/PROTOCOL.md states.
const CALLS_AT_ONCE: usize = 200;

/// A call that is rejected before anything is read.
fn cheap() -> Call<'static> {
    metrics("unknown=1")
}

/// How many of `call` an instance accepts at once.
async fn accepted(history: &History, call: &Call<'_>) -> usize {
    for accepted in 0.. {
        if get(history, call.clone()).await.status == 429 {
            return accepted;
        }
    }
    unreachable!("calls are limited")
}

#[tokio::test]
async fn calls_of_a_credential_are_limited_until_the_stated_time() {
    let service = TestService::start().await;
    let history = service.instance();
    assert_eq!(accepted(&history, &cheap()).await, CALLS_AT_ONCE);
    for route in [METRICS, SUMMARY, LATEST, SERIES, LOGS, APPS] {
        let answer = get(&history, call(route)).await;
        assert_eq!((answer.status, answer.retry_after.as_str()), (429, "1"), "{route}");
        let expected = json!({"code": "rate_limited", "retryAfterMs": 100,
            "message": "too many calls with this credential, try again in 100 ms"});
        assert_eq!(answer.json(), expected);
    }
    assert!(service.env.take_lines().is_empty(), "a rejected call reads nothing");
    assert_eq!(call_at(&history, metrics(""), now().plus_ms(99)).await.status, 429);
    assert_eq!(call_at(&history, metrics(""), now().plus_ms(100)).await.status, 200);
    assert_eq!(call_at(&history, metrics(""), now().plus_ms(100)).await.status, 429);
}

#[tokio::test]
async fn credentials_are_counted_apart_and_open_calls_not() {
    let service = TestService::start().await;
    let history = service.instance();
    accepted(&history, &cheap()).await;
    let other = Grant { until: Some(now().plus_ms(SECOND_MS)), ..grant("shop", Scope::VIEW) };
    assert_eq!(get(&history, Call { grant: Some(other), ..call(METRICS) }).await.status, 200);
    for _ in 0..2 * CALLS_AT_ONCE {
        assert_eq!(get(&history, Call { grant: None, ..call("GET /health") }).await.status, 200);
    }
}

#[tokio::test]
async fn query_of_many_points_counts_as_several_calls() {
    let service = TestService::start().await;
    for (route, query, calls) in [
        (METRICS, "timeRange=week", 1),
        (SUMMARY, "timeRange=hour", 1),
        (SUMMARY, "timeRange=week", 2),
        (METRICS, "from=2026-11-21T13:01:00Z&to=2026-11-22T13:01:00Z&step=60", 9),
        (SUMMARY, "from=2026-11-21T13:01:00Z&to=2026-11-22T13:01:00Z&step=60", 18),
    ] {
        let history = service.instance();
        assert_eq!(get(&history, Call { query, ..call(route) }).await.status, 200, "{query}");
        let left = accepted(&history, &cheap()).await;
        assert_eq!(CALLS_AT_ONCE - left, calls, "{route} {query}");
    }
}

#[tokio::test]
async fn list_of_fifty_applications_stays_far_below_the_limit() {
    let service = TestService::start().await;
    let history = service.instance();
    // The page's calls of ten minutes: the list every ten seconds, and the last hour of fifty apps every minute.
    for second in (0..600).step_by(10) {
        let at = now().plus_ms(second * SECOND_MS);
        let histories = if second % 60 == 0 { 50 } else { 0 };
        for _ in 0..=histories {
            let answer = call_at(&history, cheap(), at).await;
            assert_eq!(answer.status, 400, "second {second}");
        }
    }
}
