//! A week of reports as rollups, computed by the rollup function's code.

use std::time::{Duration, Instant};

use nsl_domain::ids::AppId;
use nsl_domain::report::Report;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{MinuteBuilder, Rollup};
use nsl_domain::series::for_each_sample;
use nsl_domain::time::{MINUTE_MS, SECOND_MS, TimestampMs};

use crate::table::{begin, row};
use nsl_test_support::hosts::{Host, Kind, span};

/// The series of the hosts that change.
pub(crate) const WATCHED: [&str; 6] = [
    "cpu.usage",
    "memory.used",
    "process.uptime",
    "process.memoryUsage.rss",
    "process.memoryUsage.heapUsed",
    "process.memoryUsage.arrayBuffers",
];
pub(crate) const SOURCES: u64 = 3;
const MINUTES_A_DAY: i64 = 1_440;
/// Minutes of raw reports that are stored: more than a query reads.
const RAW_MINUTES: i64 = 10;
/// Milliseconds from the start of the current minute to now.
const INTO_MINUTE_MS: i64 = 40 * SECOND_MS;
/// Minutes from the start of the current hour to now, so that a query needs every resolution.
const INTO_HOUR_MINUTES: i64 = 37;

/// The rollups of one resolution, and the time to compute them.
#[derive(Default)]
pub(crate) struct Folded {
    pub(crate) rollups: Vec<Rollup>,
    samples: u64,
    took: Duration,
}

/// A week of reports.
pub(crate) struct Week {
    pub(crate) now: TimestampMs,
    /// Minutes, tens, hours, days.
    pub(crate) levels: [Folded; 4],
    pub(crate) raw: Vec<Report>,
    /// The values of each watched series.
    pub(crate) values: Vec<Vec<f64>>,
}

impl Week {
    /// The reports of so many days.
    pub(crate) fn generate(days: i64) -> Self {
        let last = 12 * 60 + INTO_HOUR_MINUTES;
        // The longest time range starts at a full hour.
        let first = last - INTO_HOUR_MINUTES - days * MINUTES_A_DAY;
        let now = span(Resolution::Minute, last * MINUTE_MS).start().plus_ms(INTO_MINUTE_MS);
        let mut week = Self { now, levels: Default::default(), raw: Vec::new(), values: Vec::new() };
        week.values.resize(WATCHED.len(), Vec::new());
        week.fold_minutes(first, last);
        for level in 1..4 {
            week.levels[level] = coarser(&week.levels[level - 1].rollups, now);
        }
        week
    }

    fn fold_minutes(&mut self, first: i64, last: i64) {
        let app = AppId::new("shop").unwrap();
        let mut hosts: Vec<Host> = (0..SOURCES).map(|index| Host::new(Kind::Linux, index)).collect();
        for minute in first..=last {
            let span = span(Resolution::Minute, minute * MINUTE_MS);
            let instants = (0..60).map(|second| span.start().plus_ms(second * SECOND_MS + 387));
            let mut reports = Vec::new();
            for timestamp in instants.filter(|instant| *instant < self.now) {
                for host in &mut hosts {
                    let (source, document) = (host.source.clone(), host.next_document());
                    reports.push(Report { app: app.clone(), source, timestamp, document });
                }
            }
            let minutes = &mut self.levels[0];
            let began = Instant::now();
            let mut fold = MinuteBuilder::new(span);
            for report in &reports {
                let hash = report.document.hash();
                fold.add(report.timestamp, &report.source, hash, report.document.as_str()).unwrap();
            }
            let rollup = fold.finish();
            minutes.took += began.elapsed();
            minutes.samples += rollup.series().map(|(_, bucket)| bucket.count()).sum::<u64>();
            minutes.rollups.push(rollup);
            reports.iter().for_each(|report| self.watch(report.document.as_str()));
            if minute > last - RAW_MINUTES {
                self.raw.extend(reports);
            }
        }
    }

    fn watch(&mut self, document: &str) {
        let note = |name: &str, value: f64| {
            if let Some(place) = WATCHED.iter().position(|watched| *watched == name) {
                self.values[place].push(value);
            }
        };
        for_each_sample(document, note).unwrap();
    }

    /// Prints the time to compute the rollups, and their sizes.
    pub(crate) fn print(&self) {
        begin("Rollups", &["what", "measured"]);
        let minutes = &self.levels[0];
        let rate = minutes.samples as f64 / minutes.took.as_secs_f64();
        let reports: u64 = minutes.rollups.iter().map(Rollup::reports).sum();
        let folded = format!("{} samples of {reports} reports, {rate:.0} a second", minutes.samples);
        row(&["folded from reports, one core".to_owned(), folded]);
        let coarse: Duration = self.levels[1..].iter().map(|level| level.took).sum();
        let took = format!("{:.0} ms for all tens, hours and days", coarse.as_secs_f64() * 1e3);
        row(&["folded from rollups".to_owned(), took]);
        for (name, level) in ["a minute", "ten minutes", "an hour", "a day"].iter().zip(&self.levels) {
            row(&[format!("rollups of {name}"), level.sizes()]);
        }
    }
}

impl Folded {
    fn sizes(&self) -> String {
        let count = self.rollups.len();
        let mut rollups = self.rollups.clone();
        let began = Instant::now();
        let encoded: Vec<Vec<u8>> = rollups.iter_mut().map(|rollup| rollup.to_bytes().unwrap()).collect();
        let encoding = began.elapsed();
        let began = Instant::now();
        for (rollup, bytes) in rollups.iter().zip(&encoded) {
            let read = Rollup::from_bytes(rollup.span(), rollup.through(), bytes).unwrap();
            assert_eq!(read.reports(), rollup.reports());
        }
        let decoding = began.elapsed();
        let bytes = encoded.iter().map(Vec::len).sum::<usize>() / count;
        let greatest = encoded.iter().map(Vec::len).max().unwrap_or_default();
        let micros = |took: Duration| took.as_secs_f64() * 1e6 / count as f64;
        let times = format!("written in {:.0} µs, read in {:.0} µs", micros(encoding), micros(decoding));
        format!("{count} of {bytes} bytes, at most {greatest}; {times}")
    }
}

/// The rollups of the next coarser resolution at `now`.
pub(crate) fn coarser(finer: &[Rollup], now: TimestampMs) -> Folded {
    let above = |rollup: &Rollup| rollup.span().coarser().expect("days have no coarser resolution");
    let mut folded = Folded::default();
    for parts in finer.chunk_by(|one, next| above(one) == above(next)) {
        let began = Instant::now();
        let rollup = Rollup::from_finer(above(&parts[0]), parts, now).unwrap();
        folded.took += began.elapsed();
        folded.rollups.push(rollup);
    }
    folded
}
