//! What an answer costs: a few queries for any window, eventually consistent for rollups and consistent for the raw
//! tail.

use nsl_domain::time::{DAY_MS, SECOND_MS};

use super::*;
use nsl_test_support::hosts::{Host, Kind, hour};

#[tokio::test]
async fn range_costs_the_same_few_queries_for_any_reports() {
    let service = TestService::start().await;
    let history = service.instance();
    for minutes in [3, 25, 70, 200, 3_000, 15_000] {
        service.store("shop", "web-1", -minutes * MINUTE_MS, r#"{"a":1}"#).await;
    }
    get(&history, call(METRICS)).await;
    service.env.take_calls();
    // Each finer resolution is read too, and the tail, which is in two hours at one minute past one. A summary reads
    // the window before too, which has no tail.
    for (route, time_range, queries) in [
        (METRICS, "hour", 1),
        (METRICS, "day", 2),
        (METRICS, "week", 3),
        (SUMMARY, "hour", 2),
        (SUMMARY, "day", 3),
        (SUMMARY, "week", 4),
    ] {
        let query = format!("timeRange={time_range}");
        assert_eq!(get(&history, Call { query: &query, ..call(route) }).await.status, 200);
        let [rollups, tail] = service.take_counts([READ_ROLLUPS, READ_TAIL]);
        assert_eq!(rollups, queries, "{route} {time_range}");
        assert!((1..=2).contains(&tail), "{route} {time_range}: {tail}");
    }
}

#[tokio::test]
async fn dashboard_costs_no_call() {
    let service = TestService::start().await;
    let event = events::http_call("GET /", ("/", ""), &[], &[], None);
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let answer = service.instance().answer(&request, now()).await;
    assert_eq!(answer.status().as_u16(), 200);
    assert!(service.env.take_lines().is_empty());
}

#[tokio::test]
async fn each_shard_costs_the_same_queries() {
    let service = TestService::start().await;
    service.env.register(&App { shards: 3, ..app("wide") }).await;
    service.get(Call { app: "wide", grant: Some(grant("wide", Scope::VIEW)), ..call(METRICS) }).await;
    assert_eq!(service.take_counts([READ_APP, READ_ROLLUPS, READ_TAIL]), [1, 3, 6]);
}

#[tokio::test]
async fn rejected_call_reads_no_report() {
    let service = TestService::start().await;
    for (call, app_reads) in [
        (metrics("timeRange=year"), 1),
        (Call { grant: Some(grant("bank", Scope::VIEW)), ..call(METRICS) }, 1),
        (Call { app: "a b", ..call(METRICS) }, 0),
        (Call { grant: None, ..call("GET /health") }, 0),
        (call("GET /nowhere"), 0),
    ] {
        service.get(call).await;
        assert_eq!(service.take_counts([READ_APP]), [app_reads]);
    }
}

/// Most read units and queries of rollups of a week.
const MAX_WEEK_UNITS: f64 = 60.0;
const MAX_WEEK_QUERIES: usize = 5;

/// A time at which an answer needs every resolution.
fn week_end() -> TimestampMs {
    now().aligned_to(HOUR_MS).plus_ms(37 * MINUTE_MS + 40 * SECOND_MS)
}

/// Stores what an answer reads of a week in which every hour has these minutes, ten minutes and hour.
async fn store_week(service: &TestService, hour: &[Vec<Rollup>; 3]) {
    let rollups = service.env.rollups();
    let shard = AppShard { app: id("shop"), shard: 0 };
    for (resolution, (rollups_of_hour, length_ms)) in
        Resolution::ALL.into_iter().zip(hour.iter().zip([2 * HOUR_MS, 26 * HOUR_MS, 8 * DAY_MS]))
    {
        let first = week_end().plus_ms(-length_ms).aligned_to(resolution.ms());
        for (index, rollup) in (0..length_ms / resolution.ms() + 1).zip(rollups_of_hour.iter().cycle()) {
            let span = RollupSpan::containing(resolution, first.plus_ms(index * resolution.ms()));
            let through = if span.is_settled(week_end()) {
                span.end()
            } else {
                week_end().aligned_to(span.finer().map_or(MINUTE_MS, Resolution::ms))
            };
            let bytes = rollup.clone().to_bytes().unwrap();
            let rollup = Rollup::from_bytes(span, through, &bytes).unwrap();
            rollups.put(&shard, &rollup, bytes, None).await.unwrap();
        }
    }
    service.env.forget_calls();
}

/// Queries and read units of rollups of a range.
async fn cost(service: &TestService, range: &str) -> (usize, f64) {
    let history = service.instance();
    let query = format!("timeRange={range}");
    let answer = call_at(&history, metrics(&query), week_end()).await;
    assert_eq!(answer.status, 200);
    let consumed = service.env.take_consumed();
    let of_rollups = || consumed.iter().filter(|one| one.target == "RollupsTable");
    (of_rollups().count(), of_rollups().map(|one| one.units).sum())
}

#[tokio::test]
async fn week_costs_at_most_60_units_and_5_queries_for_any_sources() {
    let mut costs = Vec::new();
    for (sources, every_s) in [(3, 1), (1_000, 300)] {
        let service = TestService::start().await;
        let mut hosts: Vec<Host> = (0..sources).map(|index| Host::new(Kind::Linux, index)).collect();
        store_week(&service, &hour(&mut hosts, every_s)).await;
        let (day, week) = (cost(&service, "day").await, cost(&service, "week").await);
        println!("{sources} sources: day {day:?}, week {week:?}");
        assert!(week.0 <= MAX_WEEK_QUERIES && week.1 <= MAX_WEEK_UNITS, "{sources} sources: {week:?}");
        costs.push([day, week]);
    }
    // Three sources and a thousand with as many reports in all cost the same queries and nearly the same units.
    for (few, many) in costs[0].iter().zip(costs[1]) {
        assert_eq!(few.0, many.0, "queries");
        assert!((few.1 - many.1).abs() <= 0.1 * few.1, "{} units and {}", few.1, many.1);
    }
}
