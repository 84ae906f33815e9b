//! Micro-benchmarks of the domain: parse, flatten, fold, merge, encode, decode and render.
//!
//! `cargo bench -p nsl-bench --features micro`, or with `-- --quick` in a few seconds. Documents have the library's 23
//! series and the load generator's sequence number; a rollup is made of sixty of them.

#![expect(clippy::unwrap_used, reason = "a failed benchmark ends the program")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use nsl_domain::dialect::Dialect;
use nsl_domain::frame::draft::ReportSender;
use nsl_domain::frame::outbound::live_frame;
use nsl_domain::frame::publish::ReportFrame;
use nsl_domain::history::{HistoryFold, HistoryQuery};
use nsl_domain::ids::{AppId, ConnectionId, Source};
use nsl_domain::report::{Document, Report};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{Retention, Rollup, RollupSpan};
use nsl_domain::series::for_each_sample;
use nsl_domain::time::{HOUR_MS, MINUTE_MS, TimestampMs};

use nsl_bench::{APP, reports, rollup};

/// Reports of a rollup: a minute of one source.
const REPORTS: i64 = 60;
/// Rollups of a window of a day.
const TENS_OF_A_DAY: i64 = 144;

fn start() -> TimestampMs {
    // 2026-11-22T00:00:00Z
    TimestampMs::clamped(1_795_305_600_000)
}

fn minute() -> (RollupSpan, Vec<Report>) {
    (RollupSpan::containing(Resolution::Minute, start()), reports(start(), REPORTS).unwrap())
}

fn folded(span: RollupSpan, reports: &[Report]) -> Rollup {
    rollup(span, reports).unwrap()
}

fn inbound(criterion: &mut Criterion) {
    let one = reports(start(), 2).unwrap().remove(1);
    let text = one.document.as_str();
    let frame =
        format!(r#"{{"type":"metrics","data":{{"appId":"shop","source":"web-1","metrics":{text}}}}}"#);
    let source = Source::of_connection(&ConnectionId::new("L0SM9cOFvHcCIhw="));
    let sender = ReportSender { source, arrival: start() };
    criterion.bench_function("parse and validate a frame", |bencher| {
        bencher.iter(|| {
            let mut entries = ReportFrame::read(black_box(&frame)).unwrap().entries;
            entries.pop().unwrap().outcome.unwrap().into_report(&sender).unwrap()
        });
    });
    criterion.bench_function("accept a document", |bencher| {
        bencher.iter(|| Document::accept(black_box(text)).unwrap());
    });
    criterion.bench_function("flatten a document", |bencher| {
        bencher.iter(|| {
            let mut sum = 0.0;
            for_each_sample(black_box(text), |_, value| sum += value).unwrap();
            sum
        });
    });
    criterion.bench_function("name a report", |bencher| bencher.iter(|| black_box(&one).id()));
    criterion.bench_function("render a live frame", |bencher| {
        bencher.iter(|| live_frame(black_box(&one), Dialect::Modern).unwrap());
    });
}

fn rollups(criterion: &mut Criterion) {
    let (span, reports) = minute();
    criterion.bench_function("fold a minute of 60 reports", |bencher| {
        bencher.iter(|| folded(span, black_box(&reports)));
    });
    let rollup = folded(span, &reports);
    criterion.bench_function("merge two rollups", |bencher| {
        bencher.iter_batched(
            || rollup.clone(),
            |mut merged| {
                merged.merge(black_box(&rollup));
                merged
            },
            criterion::BatchSize::SmallInput,
        );
    });
    let bytes = rollup.clone().to_bytes().unwrap();
    criterion.bench_function("encode a rollup", |bencher| {
        bencher.iter_batched(
            || rollup.clone(),
            |mut whole| whole.to_bytes().unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });
    criterion.bench_function("decode a rollup", |bencher| {
        bencher.iter(|| Rollup::from_bytes(span, span.end(), black_box(&bytes)).unwrap());
    });
}

fn answers(criterion: &mut Criterion) {
    let (_, reports) = minute();
    let rollups: Vec<Rollup> = (0..TENS_OF_A_DAY)
        .map(|index| {
            let span =
                RollupSpan::containing(Resolution::TenMinutes, start().plus_ms(index * 10 * MINUTE_MS));
            let shifted = reports.iter().map(|report| {
                let timestamp = report.timestamp.plus_ms(span.start().ms_since(start()));
                Report { timestamp, ..report.clone() }
            });
            folded(span, &shifted.collect::<Vec<_>>())
        })
        .collect();
    let now = start().plus_ms(24 * HOUR_MS);
    let day = |name: &str| if name == "timeRange" { vec!["day"] } else { Vec::new() };
    let query = HistoryQuery::read(day, &Retention::default(), now).unwrap();
    criterion.bench_function("fold and render a day of 144 rollups", |bencher| {
        bencher.iter(|| {
            let mut fold = HistoryFold::new(AppId::new(APP).unwrap(), query.clone());
            black_box(&rollups).iter().for_each(|rollup| fold.add_rollup(rollup));
            serde_json::to_string(&fold.finish(now).unwrap()).unwrap()
        });
    });
}

criterion_group!(benches, inbound, rollups, answers);
criterion_main!(benches);
