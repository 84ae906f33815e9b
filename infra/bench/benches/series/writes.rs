//! Writes of the rollup function, relative to the writes of the reports, batch by batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use nsl_domain::report::Report;
use nsl_domain::resolution::Resolution;
use nsl_domain::time::{HOUR_MS, SECOND_MS, TimestampMs};
use nsl_rollup::handler::RollupHandler;
use nsl_rollup::settings::Settings;

use crate::service::Service;
use crate::table::{begin, row};
use nsl_test_support::hosts::{Host, Kind, span};

/// Dollars per million write and read units, on demand, us-east-1.
const WRITE_DOLLARS: f64 = 0.625;
const READ_DOLLARS: f64 = 0.125;
const SECONDS_A_MONTH: f64 = 30.0 * 86_400.0;

/// Delay of a batch after its last report: that of the stream, and the start of the function.
const DELIVERY_MS: i64 = 1_500;

/// One measurement. A batch is delivered when its window ends or when it has 6 MB, the limit of an invocation: with a
/// hundred sources after forty seconds.
struct Case {
    sources: u64,
    batch_s: i64,
    /// Seconds before the measurement, and of it. The latter contain the end of an hour.
    before_s: i64,
    measured_s: i64,
    most_percent: f64,
}

const CASES: [Case; 2] = [
    Case { sources: 1, batch_s: 60, before_s: 900, measured_s: 7_200, most_percent: 15.0 },
    Case { sources: 100, batch_s: 40, before_s: 120, measured_s: 600, most_percent: 3.0 },
];

/// Prints all cases.
pub(crate) async fn print() {
    let columns = [
        "sources, one report a second each",
        "raw write units a minute",
        "added by rollups",
        "of them last reports",
        "read by recomputing, a minute",
        "a month: raw, added, read",
    ];
    begin("Writes", &columns);
    for case in &CASES {
        print_case(case).await;
    }
}

async fn print_case(case: &Case) {
    let service = Service::open("shop").await;
    let clock = Arc::new(AtomicI64::new(0));
    let time = Arc::clone(&clock);
    let settings = Settings::read(|name| service.env.variable(name)).unwrap();
    let now = move || TimestampMs::clamped(time.load(Ordering::SeqCst));
    let rolling = RollupHandler::new(&service.env.clients, &settings, Arc::new(now));
    let mut hosts: Vec<Host> = (0..case.sources).map(|index| Host::new(Kind::Linux, index)).collect();
    // An hour ends in the middle of the measurement; batches do not start at a full minute.
    let noon = span(Resolution::Hour, 12 * HOUR_MS).start();
    let first = noon.plus_ms(-(case.before_s + case.measured_s / 2) * SECOND_MS + 17 * SECOND_MS);
    let batches = (case.before_s + case.measured_s) / case.batch_s;
    let (mut written, mut last_reports, mut read, mut raw) = (0.0, 0.0, 0.0, 0.0);
    for batch in 0..batches {
        let from = first.plus_ms(batch * case.batch_s * SECOND_MS);
        let reports = reported(&service, &mut hosts, from, case.batch_s);
        // Stored as ingest does.
        service.env.forget_calls();
        service.put_raw(&reports).await;
        let raw_units = service.take_writes();
        clock.store(from.plus_ms(case.batch_s * SECOND_MS + DELIVERY_MS).ms(), Ordering::SeqCst);
        let failures = rolling.handle(event(&reports)).await.unwrap().failures;
        assert!(failures.is_empty(), "nothing fails here");
        let calls = service.env.take_calls();
        let spent = service.env.take_consumed();
        if batch * case.batch_s < case.before_s {
            continue;
        }
        raw += raw_units;
        read += spent.iter().filter(|one| one.is_read()).map(|one| one.units).sum::<f64>();
        written += spent.iter().filter(|one| !one.is_read()).map(|one| one.units).sum::<f64>();
        last_reports +=
            calls.iter().filter(|call| call.text("/Item/pk/S").ends_with("#sources")).count() as f64;
    }
    let minutes = (batches - case.before_s / case.batch_s) as f64 * case.batch_s as f64 / 60.0;
    let percent = written / raw * 100.0;
    let missed = if percent > case.most_percent { " (MISSED)" } else { "" };
    let month = |units: f64, dollars: f64| units / minutes / 60.0 * SECONDS_A_MONTH / 1e6 * dollars;
    let money = format!(
        "${:.2}, ${:.2}, ${:.2}",
        month(raw, WRITE_DOLLARS),
        month(written, WRITE_DOLLARS),
        month(read, READ_DOLLARS)
    );
    row(&[
        case.sources.to_string(),
        format!("{:.1}", raw / minutes),
        format!("{:.1}, {percent:.1} %{missed}", written / minutes),
        format!("{:.1}", last_reports / minutes),
        format!("{:.1}", read / minutes),
        money,
    ]);
}

fn reported(service: &Service, hosts: &mut [Host], from: TimestampMs, seconds: i64) -> Vec<Report> {
    let mut reports = Vec::new();
    for second in 0..seconds {
        for host in hosts.iter_mut() {
            let (app, source) = (service.app.id.clone(), host.source.clone());
            let (timestamp, document) = (from.plus_ms(second * SECOND_MS + 387), host.next_document());
            reports.push(Report { app, source, timestamp, document });
        }
    }
    reports
}

/// The stream event with these reports.
fn event(reports: &[Report]) -> nsl_aws::stream::StreamEvent {
    serde_json::from_str(&nsl_bench::stream_event(reports).to_string()).unwrap()
}
