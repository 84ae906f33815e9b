//! Cost and duration of history queries, by time range and by number of sources.

use std::time::{Duration, Instant};

use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{MinuteBuilder, Rollup, RollupSpan};
use nsl_domain::time::{MINUTE_MS, SECOND_MS};

use crate::service::Service;
use crate::table::{begin, millis, row};
use crate::week::{SOURCES, Week, coarser};
use nsl_test_support::hosts::{Host, Kind, span};

/// Timed queries of each range.
const ANSWERS: usize = 101;

/// Targets of a query over a week: read units and calls for rollups, and its duration as a multiple of an hour's.
const WEEK_UNITS_MAX: f64 = 60.0;
const WEEK_CALLS_MAX: usize = 5;
const WEEK_TIMES_MAX: f64 = 3.0;

/// Seconds between reports of each of many sources: only the spread of their values matters.
const MANY_EVERY_S: i64 = 10;

/// Prints each time range, for a new instance and for one with a filled cache.
pub(crate) async fn print_ranges(week: &Week) {
    let service = Service::open("shop").await;
    for level in &week.levels {
        service.put(&level.rollups).await;
    }
    service.put_raw(&week.raw).await;
    let columns = [
        "range",
        "rollups: Query, read units",
        "asked again",
        "raw tail: Query, read units",
        "first answer, ms: median, 99 %",
        "asked again, ms: median, 99 %",
    ];
    begin("Answers", &columns);
    let hour = print_range(&service, week, "hour").await;
    print_range(&service, week, "day").await;
    let week = print_range(&service, week, "week").await;
    let times = [0, 1].map(|index| week[index].as_secs_f64() / hour[index].as_secs_f64());
    println!("\nA week takes {:.2} times as long as an hour, asked again {:.2} times.", times[0], times[1]);
    if times[0] > WEEK_TIMES_MAX {
        println!("MISSED: at most {WEEK_TIMES_MAX} times.");
    }
}

async fn print_range(service: &Service, week: &Week, range: &str) -> [Duration; 2] {
    let query = format!("timeRange={range}");
    let history = service.history();
    service.env.forget_calls();
    let first = service.ask(&history, &query, week.now).await;
    let [rollups, tail] = service.take_reads();
    assert_eq!(service.ask(&history, &query, week.now).await, first);
    let [again, _] = service.take_reads();
    assert!(rollups.0 <= WEEK_CALLS_MAX && rollups.1 <= WEEK_UNITS_MAX, "{range}: {rollups:?}");
    let mut cold = Vec::new();
    let mut warm = Vec::new();
    for _ in 0..ANSWERS {
        let fresh = service.history();
        // Caches the app, as any instance does that has served a query of it.
        service.ask(&fresh, "timeRange=hour&series=cpu.usage", week.now).await;
        for times in [&mut cold, &mut warm] {
            let began = Instant::now();
            service.ask(&fresh, &query, week.now).await;
            times.push(began.elapsed());
        }
    }
    cold.sort_unstable();
    warm.sort_unstable();
    let of = |(calls, units): (usize, f64)| format!("{calls}, {units}");
    let shown =
        |times: &[Duration]| format!("{}, {}", millis(times[ANSWERS / 2]), millis(times[ANSWERS * 99 / 100]));
    row(&[range.to_owned(), of(rollups), of(again), of(tail), shown(&cold), shown(&warm)]);
    [cold[ANSWERS / 2], warm[ANSWERS / 2]]
}

/// Prints the cost of day and week without raw reports, by number of sources. The rollups of one hour are used for every
/// hour of the week.
pub(crate) async fn print_sources(week: &Week) {
    let columns = ["sources", "bytes of an hour", "day: Query, read units", "week: Query, read units"];
    begin("Answers without the raw tail, by the number of sources", &columns);
    for (sources, every_s) in [(1, 1), (SOURCES, 1), (100, 1), (1_000, MANY_EVERY_S), (1_000, 1)] {
        print_number(week, sources, every_s).await;
    }
}

async fn print_number(week: &Week, sources: u64, every_s: i64) {
    let minutes = hour_of(sources, every_s);
    let tens = coarser(&minutes, week.now).rollups;
    let hour = coarser(&tens, week.now).rollups.remove(0);
    let service = Service::open("many").await;
    for (level, parts) in week.levels.iter().zip([&minutes, &tens, &vec![hour.clone()]]) {
        let parts = level.rollups.iter().zip(parts.iter().cycle());
        let rollups: Vec<Rollup> = parts.map(|(stored, part)| moved(part, stored)).collect();
        // No query reads more than two days of a resolution finer than its points.
        service.put(&rollups[rollups.len().saturating_sub(2_880)..]).await;
    }
    let mut cells = vec![sources.to_string(), hour.clone().to_bytes().unwrap().len().to_string()];
    for range in ["day", "week"] {
        let history = service.history();
        service.env.forget_calls();
        service.ask(&history, &format!("timeRange={range}"), week.now).await;
        let [(calls, units), _] = service.take_reads();
        let missed = if units > WEEK_UNITS_MAX || calls > WEEK_CALLS_MAX { " (MISSED)" } else { "" };
        cells.push(format!("{calls}, {units}{missed}"));
    }
    row(&cells);
}

/// The 1-minute rollups of an hour with so many sources.
fn hour_of(sources: u64, every_s: i64) -> Vec<Rollup> {
    let mut hosts: Vec<Host> = (0..sources).map(|index| Host::new(Kind::Linux, index)).collect();
    let minute = |minute: i64| {
        let span = span(Resolution::Minute, minute * MINUTE_MS);
        let mut fold = MinuteBuilder::new(span);
        for second in (0..60).step_by(usize::try_from(every_s).unwrap_or(1)) {
            for host in &mut hosts {
                let document = host.next_document();
                let at = span.start().plus_ms(second * SECOND_MS + 387);
                fold.add(at, &host.source, document.hash(), document.as_str()).unwrap();
            }
        }
        fold.finish()
    };
    (0..60).map(minute).collect()
}

/// The rollup, moved to the time span of `stored`.
fn moved(rollup: &Rollup, stored: &Rollup) -> Rollup {
    let span: RollupSpan = stored.span();
    Rollup::from_bytes(span, stored.through(), &rollup.clone().to_bytes().unwrap()).unwrap()
}
