//! The measurements: starts, then warm events, of each case over each transport. Responses and calls are checked, because a
//! function that fails is fast.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use nsl_client::clock;
use nsl_client::console::Console;
use nsl_domain::time::TimestampMs;
use serde::Serialize;

use crate::args::{Args, Transport};
use crate::case::{CASES, Case};
use crate::function::Function;
use crate::rows::Rows;
use crate::runtime_api::Invocation;
use crate::tls::Identity;
use crate::usage::{Spent, peak_memory};

/// Events before the measurement, until connections are open and pages are in memory.
const WARM_UP_EVENTS: u64 = 100;
/// Warm events after each start, for the median beside the first event.
const WARM_AFTER_START: u64 = 15;
const BYTES_PER_MEGABYTE: f64 = 1e6;
const MS_PER_SECOND: f64 = 1e3;

/// Results by case and transport.
pub(crate) type Figures = BTreeMap<&'static str, BTreeMap<Transport, Figure>>;

/// The results of one case over one transport. Times are medians in milliseconds.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figure {
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<StartFigure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warm: Option<WarmFigure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StartFigure {
    starts: usize,
    to_clients_built_ms: f64,
    to_first_poll_ms: f64,
    first_event_ms: f64,
    warm_event_ms: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WarmFigure {
    events: u64,
    user_ms: f64,
    system_ms: f64,
    processor_ms: f64,
    event_ms: f64,
    slowest_event_ms: f64,
    peak_memory_mb: f64,
}

/// Measures the selected cases.
pub(crate) async fn all(args: &Args, console: &Console) -> anyhow::Result<Figures> {
    let folder = Folder::new().context("cannot create a folder for the certificate")?;
    let identity = Identity::new(&folder.0, &args.roots)?;
    let mut figures = Figures::new();
    for case in CASES.iter().filter(|case| args.selects(case.name)) {
        for transport in args.transports() {
            let identity = (transport == Transport::Tls).then_some(&identity);
            match one(args, case, identity).await {
                Ok(figure) => drop(figures.entry(case.name).or_default().insert(transport, figure)),
                Err(fault) => {
                    // The results of the other cases are still printed.
                    console.note(&format!("{} over {transport:?}: {fault:#}", case.name));
                    figures.remove(case.name);
                    break;
                }
            }
        }
    }
    if figures.is_empty() {
        bail!("no case was selected, or all have failed");
    }
    Ok(figures)
}

/// A temporary folder, which is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("nsl-measure-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is in the system's temporary directory, which is cleaned anyway.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

async fn one(args: &Args, case: &Case, identity: Option<&Identity>) -> anyhow::Result<Figure> {
    let now = clock::now();
    let mut rows = Rows::new(now)?;
    rows.subscribe(case.audience.names(), now);
    let rows = Arc::new(rows);
    let mut figure = Figure::default();
    if case.starts && args.starts > 0 {
        figure.start = Some(starts(args, case, &rows, identity, now).await?);
    }
    let thinned = if args.exactly.is_some() { 1 } else { case.thinned };
    let events = u64::from(args.events.div_ceil(thinned));
    if events > 0 {
        figure.warm = Some(warm(args, case, &rows, identity, (events, now)).await?);
    }
    Ok(figure)
}

async fn starts(
    args: &Args,
    case: &Case,
    rows: &Arc<Rows>,
    identity: Option<&Identity>,
    now: TimestampMs,
) -> anyhow::Result<StartFigure> {
    let (mut built, mut polled, mut first, mut warm) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.starts {
        let (mut function, started) = Function::start(args, case, rows, identity).await?;
        built.push(started.connected);
        polled.push(started.polled);
        first.push(invoke(&mut function, case, 0, now).await?);
        for number in 1..=WARM_AFTER_START {
            warm.push(invoke(&mut function, case, number, now).await?);
        }
        function.end().await?;
    }
    Ok(StartFigure {
        starts: polled.len(),
        to_clients_built_ms: median_ms(&mut built),
        to_first_poll_ms: median_ms(&mut polled),
        first_event_ms: median_ms(&mut first),
        warm_event_ms: median_ms(&mut warm),
    })
}

async fn warm(
    args: &Args,
    case: &Case,
    rows: &Arc<Rows>,
    identity: Option<&Identity>,
    (events, now): (u64, TimestampMs),
) -> anyhow::Result<WarmFigure> {
    let (mut function, _) = Function::start(args, case, rows, identity).await?;
    let warm_up = WARM_UP_EVENTS.min(events);
    for number in 0..warm_up {
        invoke(&mut function, case, number, now).await?;
    }
    let before = Spent::of(function.pid)?;
    let mut took = Vec::new();
    for number in warm_up..warm_up + events {
        took.push(invoke(&mut function, case, number, now).await?);
    }
    let after = Spent::of(function.pid)?;
    if let Some(error) = case.call_error(warm_up + events, function.calls.counted()) {
        bail!(error);
    }
    let peak = peak_memory(function.pid)?;
    function.end().await?;
    let each = |seconds: f64| rounded(seconds * MS_PER_SECOND / events as f64);
    let (user, system) = (after.user - before.user, after.system - before.system);
    Ok(WarmFigure {
        events,
        user_ms: each(user),
        system_ms: each(system),
        processor_ms: each(user + system),
        event_ms: median_ms(&mut took),
        slowest_event_ms: took.last().map_or(0.0, |took| rounded(took.as_secs_f64() * MS_PER_SECOND)),
        peak_memory_mb: rounded(peak as f64 / BYTES_PER_MEGABYTE),
    })
}

/// Sends event `number` and returns the response time.
async fn invoke(
    function: &mut Function,
    case: &Case,
    number: u64,
    now: TimestampMs,
) -> anyhow::Result<Duration> {
    let event = Bytes::from(case.event(number, now)?);
    let Invocation { took, body } = function.api.invoke(event).await?;
    let response = String::from_utf8_lossy(&body);
    ensure!(response.contains(case.expected()), "unexpected response {response}");
    Ok(took)
}

/// The median of `times`, which are sorted afterwards.
fn median_ms(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    rounded(middle.as_secs_f64() * MS_PER_SECOND)
}

/// Rounded to a microsecond or a thousandth of a megabyte.
fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_and_times_are_sorted() {
        let mut times = [9, 1, 5].map(Duration::from_millis);
        assert_eq!(median_ms(&mut times), 5.0);
        assert_eq!(times.last(), Some(&Duration::from_millis(9)));
        assert_eq!(median_ms(&mut []), 0.0);
    }
}
