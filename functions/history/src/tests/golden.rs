//! Hashes answers of every kind, so that no change of what computes them is deployed under the same entity tags.

use nsl_domain::time::DAY_MS;

use super::*;
use crate::fingerprint::{Fingerprint, hex};
use crate::respond::ANSWER_VERSION;

/// Reports of two sources over a week: nested, negative, odd and very large numbers, names to be escaped.
async fn week() -> TestService {
    let service = TestService::start().await;
    for index in 1..24_i64 {
        let offset_ms = -index * index * 17 * MINUTE_MS - index * 1_357;
        let document = format!(
            r#"{{"cpu":{{"usage":{}.{index},"cores":4,"loadAverage":[0,{index}]}},"memory":{{"usagePercent":{index}}},"a,b":-{index},"=a":{index},"é\"":1e{index},"text":"x"}}"#,
            index * 31 % 100
        );
        let source = if index % 3 == 0 { "web-2" } else { "web-1" };
        service.store("shop", source, offset_ms, &document).await;
    }
    service.store("shop", "web-1", -500, r#"{"cpu":{"usage":61.5},"process":{"uptime":3}}"#).await;
    service
}

async fn answers(service: &TestService) -> Vec<(String, String)> {
    let all = "agg=avg,min,max,p50,p95,p99,last,count,sum";
    let three_days = format!("from={}&to={}&step=3600", NOW_MS - 4 * DAY_MS, NOW_MS - DAY_MS);
    let mut answers = Vec::new();
    for (route, query) in [
        (METRICS, "timeRange=hour"),
        (METRICS, "timeRange=day&series=cpu.usage,a*"),
        (METRICS, &format!("timeRange=week&{all}")),
        (METRICS, &three_days),
        (SUMMARY, "timeRange=week"),
        (SUMMARY, &three_days),
        (LATEST, ""),
        (SERIES, ""),
        (LOGS, "timeRange=day"),
        (APPS, ""),
    ] {
        for accept in ["application/json", "text/csv"] {
            let answer = service.get(Call { query, accept, ..call(route) }).await;
            assert_eq!(answer.status, 200, "{route} {query}");
            answers.push((format!("{route} {query} {accept}"), answer.text));
        }
    }
    answers
}

#[tokio::test]
async fn changed_answer_has_another_version() {
    let mut fingerprint = Fingerprint::default();
    for (asked, text) in answers(&week().await).await {
        fingerprint.add(asked);
        fingerprint.add(text);
    }
    let version = hex(fingerprint.finish());
    assert_eq!(
        ANSWER_VERSION, version,
        "the answers have changed: set ANSWER_VERSION in respond.rs to the right value, so that no caller keeps old ones"
    );
}

#[tokio::test]
async fn tag_depends_on_the_version() {
    let service = TestService::start().await;
    let tag = service.get(call(SERIES)).await.tag;
    let mut content = Fingerprint::default();
    content.add(r#"{"appId":"shop","series":[]}"#);
    let mut fingerprint = Fingerprint::default();
    fingerprint.add(ANSWER_VERSION);
    fingerprint.add("/apps/shop/series  Json Codings { gzip: false, identity: true }");
    fingerprint.add(content.finish());
    assert_eq!(tag, format!("W/\"{}\"", hex(fingerprint.finish())));
}
