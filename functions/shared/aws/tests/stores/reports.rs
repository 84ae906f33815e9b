//! Reports: stored once however often they are sent, read by hour and shard, newest or oldest first.

use nsl_domain::report::RecentReports;
use nsl_domain::rollup::RAW_GRACE_MS;
use nsl_domain::time::{HOUR_MS, MINUTE_MS};
use nsl_domain::time_span::TimeSpan;
use serde_json::json;

use super::*;

const RETENTION_MS: i64 = 48 * HOUR_MS;
const QUERY: &str = "Query ReportsTable consistent";

/// A report of `shop` by `source`, `offset_ms` after the present.
fn report(source: &str, offset_ms: i64) -> Report {
    report_of(source, offset_ms, &format!("{{\"a\":{offset_ms}}}"))
}

fn some(reports: Vec<Report>, is_complete: bool) -> RecentReports {
    RecentReports { reports, is_complete }
}

fn sharded(shards: u16) -> App {
    App { shards, ..app("shop") }
}

async fn store(env: &TestEnvironment, app: &App, reports: &[Report]) {
    for report in reports {
        env.reports().store(report, app, RETENTION_MS).await.unwrap();
    }
    env.take_calls();
}

/// Every report of the last `span_ms` and of the next five minutes, in the order of reading.
async fn all(env: &TestEnvironment, app: &App, span_ms: i64) -> Vec<Report> {
    let mut seen = Vec::new();
    let span = TimeSpan::new(now().plus_ms(-span_ms), now().plus_ms(5 * MINUTE_MS));
    env.reports().for_each(app, span, now(), |report| seen.push(report)).await.unwrap();
    seen
}

#[tokio::test]
async fn repeated_report_is_stored_once() {
    let env = TestEnvironment::start().await;
    let shop = app("shop");
    for _ in 0..3 {
        env.reports().store(&report("web-1", 0), &shop, RETENTION_MS).await.unwrap();
        assert_eq!(env.take_lines(), ["PutItem ReportsTable"]);
    }
    let rows = env.rows("ReportsTable").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["pk"]["S"], "shop#2026-11-22T13#0");
    assert_eq!(rows[0]["sk"]["S"], report("web-1", 0).id());
    let expires_at = NOW_MS + RETENTION_MS + RAW_GRACE_MS;
    assert_eq!(rows[0]["expiresAt"]["N"], (expires_at / 1000).to_string());
    assert_eq!(all(&env, &shop, MINUTE_MS).await, [report("web-1", 0)]);
}

#[tokio::test]
async fn reports_that_differ_in_anything_are_all_stored() {
    let env = TestEnvironment::start().await;
    let shop = app("shop");
    let reports = [
        report_of("web-1", 0, "{}"),
        report_of("web-1", 0, r#"{"a":1}"#),
        report_of("web-2", 0, "{}"),
        report_of("web-1", 1, "{}"),
    ];
    store(&env, &shop, &reports).await;
    assert_eq!(all(&env, &shop, MINUTE_MS).await.len(), reports.len());
}

#[tokio::test]
async fn newest_reports_are_limited_and_oldest_first() {
    let env = TestEnvironment::start().await;
    let shop = app("shop");
    let reports: Vec<_> = (-10..=0).map(|second| report("web-1", second * 1_000)).collect();
    store(&env, &shop, &reports).await;
    let recent = async |from_ms: i64, most: usize| {
        env.reports().recent(&shop, now().plus_ms(from_ms), now(), most).await.unwrap()
    };
    assert_eq!(recent(-10_000, 11).await, some(reports.clone(), true));
    assert_eq!(recent(-10_000, 10).await, some(reports[1..].to_vec(), false));
    assert_eq!(recent(-10_000, 3).await, some(reports[8..].to_vec(), false));
    assert_eq!(recent(-2_000, 3).await, some(reports[8..].to_vec(), true), "the start is inclusive");
    assert_eq!(recent(1, 3).await, some(Vec::new(), true));
}

#[tokio::test]
async fn recent_reports_cost_a_query_for_each_hour_and_shard() {
    let env = TestEnvironment::start().await;
    // A minute after the hour, so that a minute back is the same hour and two minutes back another.
    for (shards, from_ms, queries) in [(1, -MINUTE_MS, 1), (1, -2 * MINUTE_MS, 2), (4, -2 * MINUTE_MS, 8)] {
        let shop = sharded(shards);
        env.reports().recent(&shop, now().plus_ms(from_ms), now(), 500).await.unwrap();
        let calls = env.take_calls();
        assert_eq!(calls.len(), queries);
        for call in calls {
            assert_eq!(call.to_string(), QUERY);
            assert_eq!((&call.body["Limit"], &call.body["ScanIndexForward"]), (&json!(501), &json!(false)));
        }
    }
}

#[tokio::test]
async fn reports_are_read_over_the_hour_and_over_shards() {
    let env = TestEnvironment::start().await;
    let shop = sharded(4);
    let sources = ["a", "b", "c", "d", "e", "f"];
    let mut reports: Vec<_> = (0..24).map(|n| report(sources[n % 6], (n as i64 - 20) * 6_000)).collect();
    let shards: std::collections::BTreeSet<_> =
        reports.iter().map(|report| shop.shard_of(&report.source)).collect();
    assert!(shards.len() > 1, "the sources are in several shards");
    store(&env, &shop, &reports).await;
    reports.sort_by_key(Report::id);
    let from = now().plus_ms(-2 * MINUTE_MS);
    let recent = async |most| env.reports().recent(&shop, from, now(), most).await.unwrap();
    assert_eq!(recent(24).await, some(reports.clone(), true));
    assert_eq!(recent(7).await, some(reports[17..].to_vec(), false));
    env.take_calls();
    let mut seen = all(&env, &shop, 2 * MINUTE_MS).await;
    assert_eq!(env.take_lines(), [QUERY; 8], "two hours of four shards");
    seen.sort_by_key(Report::id);
    assert_eq!(seen, reports);
}

#[tokio::test]
async fn a_span_is_read_hour_by_hour_oldest_first() {
    let env = TestEnvironment::start().await;
    let shop = app("shop");
    let reports: Vec<_> =
        [-130, -61, -60, -2, -1, 0].map(|minute| report("web-1", minute * MINUTE_MS)).into();
    store(&env, &shop, &reports).await;
    assert_eq!(all(&env, &shop, 130 * MINUTE_MS).await, reports);
    // 10:51 to 13:06: four hours of one shard.
    assert_eq!(env.take_lines(), [QUERY; 4]);
    let mut seen = Vec::new();
    let span = TimeSpan::new(now().plus_ms(-61 * MINUTE_MS), now());
    env.reports().for_each(&shop, span, now(), |report| seen.push(report)).await.unwrap();
    assert_eq!(seen, reports[1..5], "the start is inclusive, the end is not");
}

#[tokio::test]
async fn expired_reports_are_not_returned() {
    let env = TestEnvironment::start().await;
    let shop = app("shop");
    store(&env, &shop, &[report("young", -MINUTE_MS)]).await;
    env.reports().store(&report("old", -MINUTE_MS), &shop, MINUTE_MS).await.unwrap();
    assert_eq!(env.rows("ReportsTable").await.len(), 2);
    assert_eq!(all(&env, &shop, HOUR_MS).await, [report("young", -MINUTE_MS)]);
    let from = now().plus_ms(-HOUR_MS);
    let recent = env.reports().recent(&shop, from, now(), 10).await.unwrap().reports;
    assert_eq!(recent, [report("young", -MINUTE_MS)]);
}

#[tokio::test]
async fn unreadable_rows_are_skipped() {
    let env = TestEnvironment::start().await;
    let shop = app("shop");
    store(&env, &shop, &[report("a", -2), report("z", -1)]).await;
    let sort_key = |n: i64| format!("{:015}#bad#{n}", NOW_MS - 2);
    let end = (NOW_MS / 1000 + 60).to_string();
    for (n, mut row) in [
        json!({}),
        json!({"expiresAt": {"N": end}}),
        json!({"expiresAt": {"S": end}}),
        json!({"expiresAt": {"N": end}, "appId": {"S": "shop"}, "source": {"S": "a#b"},
            "timestamp": {"N": "1"}, "document": {"S": "{}"}}),
        json!({"expiresAt": {"N": end}, "appId": {"S": "shop"}, "source": {"S": "a"},
            "timestamp": {"N": "-1"}, "document": {"S": "{}"}}),
    ]
    .into_iter()
    .enumerate()
    {
        row["pk"] = json!({"S": "shop#2026-11-22T13#0"});
        row["sk"] = json!({"S": sort_key(n as i64)});
        env.put("ReportsTable", row).await;
    }
    let expected = [report("a", -2), report("z", -1)];
    assert_eq!(all(&env, &shop, MINUTE_MS).await, expected);
    let recent = env.reports().recent(&shop, now().plus_ms(-1_000), now(), 2).await.unwrap().reports;
    assert_eq!(recent, expected);
}

#[tokio::test]
async fn more_than_a_megabyte_is_read_page_by_page() {
    let env = TestEnvironment::start().await;
    let shop = app("shop");
    let document = format!("{{\"a\":\"{}\"}}", "x".repeat(13 * 1024));
    let reports: Vec<_> = (0..200).map(|n| report_of("web-1", n - 200, &document)).collect();
    store(&env, &shop, &reports).await;
    assert_eq!(all(&env, &shop, MINUTE_MS).await, reports);
    assert_eq!(env.take_lines(), [QUERY; 3]);
    let recent =
        async |most| env.reports().recent(&shop, now().plus_ms(-MINUTE_MS), now(), most).await.unwrap();
    // Half a megabyte of documents, from one page.
    assert_eq!(recent(500).await, some(reports[161..].to_vec(), false));
    assert_eq!(env.take_lines(), [QUERY]);
    assert_eq!(recent(20).await, some(reports[180..].to_vec(), false));
    assert_eq!(env.take_lines(), [QUERY]);
}

#[tokio::test]
async fn raw_tail_is_limited_to_one_page() {
    let env = TestEnvironment::start().await;
    let (shop, shard) = (app("shop"), shard(0));
    let document = format!("{{\"a\":\"{}\"}}", "x".repeat(13 * 1024));
    let reports: Vec<_> = (0..100).map(|n| report_of("web-1", (n - 100) * 500, &document)).collect();
    store(&env, &shop, &reports).await;
    let newest = |reports: i64| TimeSpan::new(now().plus_ms(-reports * 500), now());
    assert_eq!(env.reports().tail(&shard, newest(100), now()).await.unwrap(), None);
    assert_eq!(env.reports().tail(&shard, newest(50), now()).await.unwrap(), Some(reports[50..].to_vec()));
    let mut found = env.reports().newest(&shard, newest(100), now()).await.unwrap();
    assert_eq!(env.take_lines(), [QUERY; 3]);
    found.reverse();
    assert!((60..90).contains(&found.len()), "{}", found.len());
    assert_eq!(found, reports[100 - found.len()..]);
}
