//! What an answer costs: a few queries whatever its window, eventually consistent for rollups and consistent for the
//! raw tail, and never a scan.

use std::collections::BTreeMap;

use nsl_domain::time::{DAY_MS, SECOND_MS};

use super::hosts::{Host, Kind};
use super::*;

const READ_APP: &str = "GetItem AppsTable consistent";
const READ_ROLLUPS: &str = "Query RollupsTable eventual";
const READ_TAIL: &str = "Query ReportsTable consistent";

#[tokio::test]
async fn a_range_costs_the_same_few_queries_whatever_was_reported() {
    let world = World::start().await;
    let history = world.instance();
    for minutes in [3, 25, 70, 200, 3_000] {
        world.store("shop", "web-1", -minutes * MINUTE_MS, r#"{"a":1}"#).await;
    }
    ask(&history, Call::default()).await;
    world.env.take_calls();
    // Each finer resolution is asked for too, and the tail, which lies in two hours at one minute past one.
    for (time_range, resolutions) in [("hour", 1), ("day", 2), ("week", 3)] {
        let query = format!("timeRange={time_range}");
        let answer = ask(&history, Call { query: &query, ..Call::default() }).await;
        assert_eq!(answer.status, 200);
        let lines = world.env.take_lines();
        assert_eq!(lines.iter().filter(|line| *line == READ_ROLLUPS).count(), resolutions, "{time_range}");
        let tail = lines.iter().filter(|line| *line == READ_TAIL).count();
        assert!((1..=2).contains(&tail), "{time_range}: {lines:?}");
        assert_eq!(lines.len(), resolutions + tail);
    }
}

#[tokio::test]
async fn the_dashboard_costs_no_call_of_a_store() {
    let world = World::start().await;
    let event = events::http_call("GET /", ("/", ""), &[], &[], None);
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let answer = world.instance().answer(&request, TimestampMs::clamped(NOW_MS)).await;
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(world.env.take_lines(), Vec::<String>::new());
}

#[tokio::test]
async fn a_summary_costs_one_query_more_for_the_window_before() {
    let world = World::start().await;
    let history = world.instance();
    for minutes in [3, 25, 70, 200, 3_000, 15_000] {
        world.store("shop", "web-1", -minutes * MINUTE_MS, r#"{"a":1}"#).await;
    }
    ask(&history, Call::default()).await;
    world.env.take_calls();
    for (time_range, queries) in [("hour", 2), ("day", 3), ("week", 4)] {
        let query = format!("timeRange={time_range}");
        ask(&history, Call { route: SUMMARY, query: &query, ..Call::default() }).await;
        let lines = world.env.take_lines();
        assert_eq!(lines.iter().filter(|line| *line == READ_ROLLUPS).count(), queries, "{time_range}");
        // What is over has no tail.
        let tail = lines.iter().filter(|line| *line == READ_TAIL).count();
        assert!((1..=2).contains(&tail), "{time_range}: {lines:?}");
        assert_eq!(lines.len(), queries + tail);
    }
}

#[tokio::test]
async fn a_shard_more_costs_the_queries_again() {
    let world = World::start().await;
    let mut wide = app("wide");
    wide.shards = 3;
    world.env.register(&wide).await;
    let call = Call { app: "wide", grant: Some(grant("wide", Scope::View)), ..Call::default() };
    world.ask(call).await;
    let lines = world.env.take_lines();
    assert_eq!(lines[0], READ_APP);
    assert_eq!(lines.iter().filter(|line| *line == READ_ROLLUPS).count(), 3);
    assert_eq!(lines.iter().filter(|line| *line == READ_TAIL).count(), 6);
}

#[tokio::test]
async fn a_cold_instance_reads_the_app_once() {
    let world = World::start().await;
    let history = world.instance();
    for reads in [1, 0] {
        ask(&history, Call::default()).await;
        let lines = world.env.take_lines();
        assert_eq!(lines.iter().filter(|line| *line == READ_APP).count(), reads);
    }
}

#[tokio::test]
async fn the_latest_reports_cost_one_query_and_the_tail() {
    let world = World::start().await;
    let history = world.instance();
    for (route, extra) in [(LATEST, &[READ_APP][..]), (LATEST, &[]), (SERIES, &[])] {
        ask(&history, Call { route, ..Call::default() }).await;
        let expected = [extra, &["Query RollupsTable consistent", READ_TAIL, READ_TAIL]].concat();
        assert_eq!(world.env.take_lines(), expected);
    }
}

#[tokio::test]
async fn a_call_that_is_refused_reads_no_report() {
    let world = World::start().await;
    for (call, lines) in [
        (Call { query: "timeRange=year", ..Call::default() }, &[READ_APP][..]),
        (Call { grant: Some(grant("bank", Scope::View)), ..Call::default() }, &[READ_APP]),
        (Call { app: "a b", ..Call::default() }, &[]),
        (Call { route: "GET /health", grant: None, ..Call::default() }, &[]),
        (Call { route: "GET /nowhere", ..Call::default() }, &[]),
    ] {
        world.ask(call).await;
        assert_eq!(world.env.take_lines(), lines);
    }
}

/// Most read units of rollups that a week costs, and most calls.
const WEEK_UNITS_MAX: f64 = 60.0;
const WEEK_CALLS_MAX: usize = 5;

/// The present of the week that is measured: where an answer needs every resolution.
fn week_end() -> TimestampMs {
    TimestampMs::clamped(NOW_MS).aligned_to(HOUR_MS).plus_ms(37 * MINUTE_MS + 40 * SECOND_MS)
}

/// The rollups of one hour of so many sources, each of which reports so often, by resolution.
fn an_hour(sources: u64, every_s: i64) -> BTreeMap<Resolution, Vec<Rollup>> {
    let start = week_end().aligned_to(HOUR_MS).plus_ms(-HOUR_MS);
    let mut hosts: Vec<Host> = (0..sources).map(|index| Host::new(Kind::Linux, index)).collect();
    let mut minutes = Vec::new();
    for minute in 0..60 {
        let span = RollupSpan::containing(Resolution::Minute, start.plus_ms(minute * MINUTE_MS));
        let mut fold = MinuteBuilder::new(span);
        for (place, host) in hosts.iter_mut().enumerate() {
            let first = (minute * 60 + place as i64) % every_s;
            for second in (first..60).step_by(every_s as usize) {
                let document = host.next_document();
                let at = span.start().plus_ms(second * SECOND_MS + 387);
                fold.add(at, &host.source, document.hash(), document.as_str()).unwrap();
            }
        }
        minutes.push(fold.finish());
    }
    let above = |parts: &[Rollup]| Rollup::from_finer(parts[0].span().coarser().unwrap(), parts, week_end());
    let tens: Vec<Rollup> = minutes.chunks(10).map(|parts| above(parts).unwrap()).collect();
    let hours = vec![above(&tens).unwrap()];
    BTreeMap::from([(Resolution::Minute, minutes), (Resolution::TenMinutes, tens), (Resolution::Hour, hours)])
}

/// Stores a week in which every hour is like that one, as far as an answer reads it.
async fn store_week(world: &World, hour: &BTreeMap<Resolution, Vec<Rollup>>) {
    let rollups = world.env.rollups();
    let shard = AppShard { app: id("shop"), shard: 0 };
    for (resolution, reach_ms) in [
        (Resolution::Minute, 2 * HOUR_MS),
        (Resolution::TenMinutes, 26 * HOUR_MS),
        (Resolution::Hour, 8 * DAY_MS),
    ] {
        let first = week_end().plus_ms(-reach_ms).aligned_to(resolution.ms());
        let like = hour[&resolution].iter().cycle();
        for (place, like) in (0..reach_ms / resolution.ms() + 1).zip(like) {
            let span = RollupSpan::containing(resolution, first.plus_ms(place * resolution.ms()));
            let through = if span.is_settled(week_end()) {
                span.end()
            } else {
                week_end().aligned_to(span.finer().map_or(MINUTE_MS, Resolution::ms))
            };
            let bytes = like.clone().to_bytes().unwrap();
            let rollup = Rollup::from_bytes(span, through, &bytes).unwrap();
            rollups.put(&shard, &rollup, bytes, None).await.unwrap();
        }
    }
    world.env.take_calls();
    world.env.take_consumed();
}

/// Calls and read units of rollups of a range.
async fn cost(world: &World, range: &str) -> (usize, f64) {
    let history = world.instance();
    let query = format!("timeRange={range}");
    let answer = ask_at(&history, Call { query: &query, ..Call::default() }, week_end()).await;
    assert_eq!(answer.status, 200);
    let spent = world.env.take_consumed();
    let of_rollups = || spent.iter().filter(|one| one.target == "RollupsTable");
    (of_rollups().count(), of_rollups().map(|one| one.units).sum())
}

#[tokio::test]
async fn a_week_costs_at_most_sixty_units_and_five_queries_whatever_the_number_of_sources() {
    let mut costs = Vec::new();
    for (sources, every_s) in [(3, 1), (1_000, 300)] {
        let world = World::start().await;
        store_week(&world, &an_hour(sources, every_s)).await;
        let (day, week) = (cost(&world, "day").await, cost(&world, "week").await);
        println!("{sources} sources: day {day:?}, week {week:?}");
        assert!(week.0 <= WEEK_CALLS_MAX && week.1 <= WEEK_UNITS_MAX, "{sources} sources: {week:?}");
        costs.push([day, week]);
    }
    // As many reports, of three sources and of a thousand: the number of names changes no call and next to no unit.
    for (few, many) in costs[0].iter().zip(costs[1]) {
        assert_eq!(few.0, many.0, "calls");
        assert!((few.1 - many.1).abs() <= 0.1 * few.1, "{} units and {}", few.1, many.1);
    }
}
