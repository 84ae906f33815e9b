//! What an answer costs and takes: by its range, and by the number of sources.

use std::time::{Duration, Instant};

use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{MinuteBuilder, Rollup, RollupSpan};
use nsl_domain::time::{MINUTE_MS, SECOND_MS};

use crate::hosts::{Host, Kind, span};
use crate::service::Service;
use crate::table::{begin, millis, row};
use crate::week::{SOURCES, Week, coarser};

/// Answers of each range that are timed; the median is told.
const ANSWERS: usize = 101;

/// The most that a week may cost and take: read units and calls of rollups, times an hour.
const WEEK_UNITS_MAX: f64 = 60.0;
const WEEK_CALLS_MAX: usize = 5;
const WEEK_TIMES_MAX: f64 = 3.0;

/// Seconds between two reports of each of many sources: the spread of their values is what counts.
const MANY_EVERY_S: i64 = 10;

/// Tells the ranges, by an instance that has answered nothing and by one that has.
pub(crate) async fn tell_ranges(week: &Week) {
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
    let hour = tell_range(&service, week, "hour").await;
    tell_range(&service, week, "day").await;
    let week = tell_range(&service, week, "week").await;
    let times = [0, 1].map(|index| week[index].as_secs_f64() / hour[index].as_secs_f64());
    println!("\nA week takes {:.2} times as long as an hour, asked again {:.2} times.", times[0], times[1]);
    if times[0] > WEEK_TIMES_MAX {
        println!("MISSED: at most {WEEK_TIMES_MAX} times.");
    }
}

async fn tell_range(service: &Service, week: &Week, range: &str) -> [Duration; 2] {
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
        // It knows the application, as an instance does that has answered anything of it.
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
    let told =
        |times: &[Duration]| format!("{}, {}", millis(times[ANSWERS / 2]), millis(times[ANSWERS * 99 / 100]));
    row(&[range.to_owned(), of(rollups), of(again), of(tail), told(&cold), told(&warm)]);
    [cold[ANSWERS / 2], warm[ANSWERS / 2]]
}

/// Tells what day and week cost without their tail, by the number of sources: the rollups of one hour stand for every
/// hour of the week.
pub(crate) async fn tell_sources(week: &Week) {
    let columns = ["sources", "bytes of an hour", "day: Query, read units", "week: Query, read units"];
    begin("Answers without the raw tail, by the number of sources", &columns);
    for (sources, every_s) in [(1, 1), (SOURCES, 1), (100, 1), (1_000, MANY_EVERY_S), (1_000, 1)] {
        tell_number(week, sources, every_s).await;
    }
}

async fn tell_number(week: &Week, sources: u64, every_s: i64) {
    let minutes = hour_of(sources, every_s);
    let tens = coarser(&minutes, week.now).rollups;
    let hour = coarser(&tens, week.now).rollups.remove(0);
    let service = Service::open("many").await;
    let hours: Vec<Rollup> = week.levels[2].rollups.iter().map(|stored| moved(&hour, stored)).collect();
    let tens: Vec<Rollup> = week.levels[1]
        .rollups
        .iter()
        .zip(tens.iter().cycle())
        .map(|(stored, ten)| moved(ten, stored))
        .collect();
    let minutes: Vec<Rollup> = week.levels[0]
        .rollups
        .iter()
        .zip(minutes.iter().cycle())
        .map(|(stored, minute)| moved(minute, stored))
        .collect();
    for level in [&hours, &tens, &minutes] {
        // No answer reads further back than two days of what is finer than its points.
        service.put(&level[level.len().saturating_sub(2_880)..]).await;
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

/// The minutes of an hour of so many sources.
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

/// The rollup with the span of `stored`, and covering as much of it.
fn moved(rollup: &Rollup, stored: &Rollup) -> Rollup {
    let span: RollupSpan = stored.span();
    Rollup::from_bytes(span, stored.through(), &rollup.clone().to_bytes().unwrap()).unwrap()
}
