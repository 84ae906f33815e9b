//! Measures history over a week: `cargo run --release -p rollup --example week` prints what docs/DATA_MODEL.md says.
//!
//! Three sources report once a second for seven days. Their 1.8 million reports are folded by the code that the
//! function runs, and the rollups stored in a real engine; of raw reports only those of the last minutes are, which is
//! all that an answer reads. Takes the number of days as an argument.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made ends, and its table goes to the terminal"
)]

#[path = "../../domain/tests/rollup/hosts.rs"]
#[expect(dead_code, reason = "the tests of sizes need more of it")]
mod hosts;

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use nsl_aws::boot::{LocalEndpoints, local_clients};
use nsl_aws::fault::Fault;
use nsl_aws::reports::Reports;
use nsl_aws::rollups::Rollups;
use nsl_domain::app::{App, DEFAULT_SHARDS, Status};
use nsl_domain::history::{HistoryFold, HistoryQuery, Reading};
use nsl_domain::ids::{AppId, UserId};
use nsl_domain::report::Report;
use nsl_domain::rollup::{AppShard, MinuteFold, Retention, Rollup, RollupSpan};
use nsl_domain::time::{MINUTE_MS, SECOND_MS, TimestampMs};
use nsl_domain::window::Resolution;
use nsl_testbed::TestBed;
use serde_json::json;

use crate::hosts::{Host, Kind, span};

const SOURCES: u64 = 3;
const DAYS: i64 = 7;
const MINUTES_A_DAY: i64 = 1_440;
/// Minutes of raw reports that are stored: more than an answer reads.
const RAW_MINUTES: i64 = 10;
/// The present, in milliseconds after the start of the last minute, which runs.
const INTO_MINUTE_MS: i64 = 40 * SECOND_MS;
/// Where in the running hour and ten minutes the present is, so that an answer needs every resolution.
const INTO_HOUR_MINUTES: i64 = 37;
/// Answers of each range that are timed; the median is told.
const ANSWERS: usize = 101;
/// Calls of the engine at a time.
const CONCURRENT_CALLS: usize = 8;

/// The application under measurement and what is stored of it.
struct Store {
    bed: TestBed,
    rollups: Rollups,
    reports: Reports,
    shard: AppShard,
    now: TimestampMs,
}

/// What the folding of one resolution took and gave.
#[derive(Default)]
struct Folded {
    rollups: Vec<Rollup>,
    samples: u64,
    took: Duration,
}

/// What one answer was made of.
#[derive(Default)]
struct Answer {
    rollups: usize,
    points: usize,
    counted: u64,
}

impl Store {
    async fn open(now: TimestampMs) -> Self {
        let bed = TestBed::start().await;
        let endpoints = LocalEndpoints {
            tables: bed.store.url(),
            connections: bed.desk.url(),
            region: TestBed::REGION.to_owned(),
        };
        let clients = local_clients(&endpoints).await;
        let rollups = clients.rollups(&bed.table("RollupsTable"), Retention::default());
        let reports = clients.reports(&bed.table("ReportsTable"));
        let shard = AppShard { app: AppId::new("shop").unwrap(), shard: 0 };
        Self { bed, rollups, reports, shard, now }
    }

    async fn put(&self, rollups: &mut [Rollup]) -> Result<(), Fault> {
        let puts = rollups.iter_mut().map(|rollup| async {
            let bytes = rollup.to_bytes();
            self.rollups.put(&self.shard, rollup, bytes, None).await
        });
        stream::iter(puts).buffer_unordered(CONCURRENT_CALLS).try_collect::<Vec<_>>().await.map(drop)
    }

    async fn put_raw(&self, raw: &[Report]) -> Result<(), Fault> {
        let app = App {
            id: self.shard.app.clone(),
            owner: UserId::new("ann").unwrap(),
            name: "Shop".to_owned(),
            status: Status::Active,
            keys: Vec::new(),
            legacy: false,
            shards: DEFAULT_SHARDS,
            tokens_not_before: None,
            limits: Default::default(),
            retention: Default::default(),
            limited_until: None,
        };
        let kept_ms = Retention::default().raw_ms;
        let app = &app;
        let puts = raw.iter().map(|report| async move { self.reports.store(report, app, kept_ms).await });
        stream::iter(puts).buffer_unordered(CONCURRENT_CALLS).try_collect::<Vec<_>>().await.map(drop)
    }

    /// Answers a range as the history function does, up to the text of the answer.
    async fn answer(&self, range: &str) -> Result<Answer, Fault> {
        let query = HistoryQuery::read(|name| (name == "timeRange").then_some(range), self.now).unwrap();
        let window = query.span.window;
        let mut reading = Reading::of(window, self.now);
        loop {
            let wanted = reading.wanted();
            if wanted.is_empty() {
                break;
            }
            let asked = wanted.iter().map(|one| {
                self.rollups.shown_between(&self.shard, one.resolution, (one.from, one.to), self.now)
            });
            for held in try_join_all(asked).await?.into_iter().flatten() {
                reading.take(Some(held.rollup().unwrap()));
            }
        }
        let mut fold = HistoryFold::new(self.shard.app.clone(), query);
        let mut answer = Answer { points: window.points(), ..Answer::default() };
        for rollup in reading.counted() {
            answer.rollups += 1;
            answer.counted += rollup.reports();
            fold.add_rollup(rollup);
        }
        if let Some(tail) = reading.tail() {
            for report in self.reports.tail(&self.shard, tail, self.now).await?.unwrap_or_default() {
                answer.counted += 1;
                let hash = report.document.hash();
                fold.add(report.timestamp, &report.source, hash, report.document.as_str()).unwrap();
            }
        }
        let text = serde_json::to_string(&fold.finish(self.now).unwrap()).unwrap();
        assert!(text.contains("cpu.usage"));
        Ok(answer)
    }

    /// The read units of the queries that were made since the last look, of rollups and of raw reports, as the engine
    /// counts them.
    async fn take_units(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut of_rollups, mut of_reports) = (Vec::new(), Vec::new());
        for call in self.bed.take_calls() {
            let mut body = call.body;
            body["ReturnConsumedCapacity"] = json!("TOTAL");
            let told = self.bed.store.direct(&call.operation, &call.target, body).await;
            let units = told["ConsumedCapacity"]["CapacityUnits"].as_f64().expect("the engine counts");
            if call.target == "RollupsTable" { &mut of_rollups } else { &mut of_reports }.push(units);
        }
        (of_rollups, of_reports)
    }
}

/// Folds minute by minute, and gives the raw reports of the last ones.
fn fold_minutes(first: i64, last: i64, until: TimestampMs) -> (Folded, Vec<Report>) {
    let app = AppId::new("shop").unwrap();
    let mut hosts: Vec<Host> = (0..SOURCES).map(|index| Host::new(Kind::Linux, index)).collect();
    let (mut folded, mut raw) = (Folded::default(), Vec::new());
    for minute in first..=last {
        let span = span(Resolution::Minute, minute * MINUTE_MS);
        let instants = (0..60).map(|second| span.start().plus_ms(second * SECOND_MS + 387));
        let mut reports = Vec::new();
        for timestamp in instants.filter(|instant| *instant < until) {
            for host in &mut hosts {
                let (source, document) = (host.source.clone(), host.next_document());
                reports.push(Report { app: app.clone(), source, timestamp, document });
            }
        }
        let began = Instant::now();
        let mut fold = MinuteFold::new(span);
        for report in &reports {
            fold.add(report.timestamp, &report.source, report.document.hash(), report.document.as_str())
                .unwrap();
        }
        let rollup = fold.finish();
        folded.took += began.elapsed();
        folded.samples += rollup.series().map(|(_, bucket)| bucket.count()).sum::<u64>();
        folded.rollups.push(rollup);
        if minute > last - RAW_MINUTES {
            raw.extend(reports);
        }
    }
    (folded, raw)
}

/// The rollups of the next coarser resolution, as the function leaves them at `now`.
fn fold_finer(finer: &[Rollup], now: TimestampMs) -> Folded {
    let above = |rollup: &Rollup| rollup.span().coarser().expect("no day is folded");
    let mut folded = Folded::default();
    for parts in finer.chunk_by(|one, next| above(one) == above(next)) {
        let span: RollupSpan = above(&parts[0]);
        let began = Instant::now();
        let rollup = Rollup::of_finer(span, parts, now).unwrap();
        folded.took += began.elapsed();
        folded.rollups.push(rollup);
    }
    folded
}

fn row(name: &str, figure: impl std::fmt::Display) {
    println!("| {name} | {figure} |");
}

/// Tells size and the time of writing and reading the rollups of one resolution.
fn tell_resolution(name: &str, folded: &mut Folded) {
    let count = folded.rollups.len();
    let began = Instant::now();
    let encoded: Vec<Vec<u8>> = folded.rollups.iter_mut().map(Rollup::to_bytes).collect();
    let encoding = began.elapsed();
    let began = Instant::now();
    for (rollup, bytes) in folded.rollups.iter().zip(&encoded) {
        let read = Rollup::from_bytes(rollup.span(), rollup.through(), bytes).unwrap();
        assert_eq!(read.reports(), rollup.reports());
    }
    let decoding = began.elapsed();
    let bytes = encoded.iter().map(Vec::len).sum::<usize>() / count;
    let greatest = encoded.iter().map(Vec::len).max().unwrap_or_default();
    let micros = |took: Duration| took.as_secs_f64() * 1e6 / count as f64;
    let figures = format!("{count} of {bytes} bytes, at most {greatest}");
    let times = format!("written in {:.0} µs, read in {:.0} µs", micros(encoding), micros(decoding));
    row(&format!("rollups of {name}"), format!("{figures}; {times}"));
}

async fn tell_range(store: &Store, range: &str) -> Duration {
    store.bed.take_calls();
    let answer = store.answer(range).await.unwrap();
    let (of_rollups, of_reports) = store.take_units().await;
    let mut times = Vec::new();
    for _ in 0..ANSWERS {
        let began = Instant::now();
        store.answer(range).await.unwrap();
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let median = times[ANSWERS / 2];
    let total = |units: &[f64]| units.iter().sum::<f64>();
    let read = format!("{} points of {} reports", answer.points, answer.counted);
    let rollups =
        format!("{} rollups by {} Query, {} units", answer.rollups, of_rollups.len(), total(&of_rollups));
    let tail = format!("raw tail {} Query, {} units", of_reports.len(), total(&of_reports));
    let time = format!("median {:.1} ms, 99 % {:.1} ms", millis(median), millis(times[ANSWERS * 99 / 100]));
    row(range, format!("{read}; {rollups}; {tail}; {time}"));
    median
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

#[tokio::main]
async fn main() {
    let days = std::env::args().nth(1).map_or(DAYS, |days| days.parse().expect("a number of days"));
    let last = 12 * 60 + INTO_HOUR_MINUTES;
    // The widest window begins at a whole hour.
    let first = last - INTO_HOUR_MINUTES - days * MINUTES_A_DAY;
    let now = span(Resolution::Minute, last * MINUTE_MS).start().plus_ms(INTO_MINUTE_MS);

    let (mut minutes, raw) = fold_minutes(first, last, now);
    let mut tens = fold_finer(&minutes.rollups, now);
    let mut hours = fold_finer(&tens.rollups, now);
    let mut whole_days = fold_finer(&hours.rollups, now);
    let rate = minutes.samples as f64 / minutes.took.as_secs_f64();

    println!("| what | measured |\n|---|---|");
    row("folded from reports", format!("{} samples, {rate:.0} a second", minutes.samples));
    let coarse = tens.took + hours.took + whole_days.took;
    row("folded from rollups", format!("{:.0} ms for all tens, hours and days", millis(coarse)));
    let resolutions = [("a minute", &mut minutes), ("ten minutes", &mut tens), ("an hour", &mut hours)];
    let store = Store::open(now).await;
    for (name, folded) in resolutions.into_iter().chain([("a day", &mut whole_days)]) {
        tell_resolution(name, folded);
        store.put(&mut folded.rollups).await.unwrap();
    }
    store.put_raw(&raw).await.unwrap();

    let hour = tell_range(&store, "hour").await;
    tell_range(&store, "day").await;
    let week = tell_range(&store, "week").await;
    row("week against hour", format!("{:.2} times", week.as_secs_f64() / hour.as_secs_f64()));
}
