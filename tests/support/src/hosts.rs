//! Simulated hosts that report like the published library, based on its recorded documents.
//!
//! They vary more than the recordings, so that measured sizes are not too small: processor load, memory, heap and
//! buffers all change.

use nsl_domain::ids::Source;
use nsl_domain::report::Document;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{MinuteBuilder, Rollup, RollupSpan};
use nsl_domain::time::{DAY_MS, MINUTE_MS, TimestampMs};
use serde_json::{Value, json};

/// 2026-11-22T00:00:00Z, the day of the recording.
const DAY_START_MS: i64 = 1_795_305_600_000;
const PAGE: f64 = 4_096.0;

/// The recording that a host continues.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A container: two interfaces whose counters stay at zero.
    Linux,
    /// A desktop machine: load averages of zero, three counts of the application.
    Windows,
}

/// One host.
#[derive(Debug)]
pub struct Host {
    pub source: Source,
    document: Value,
    rng: fastrand::Rng,
    cpu: f64,
    used: f64,
    heap: f64,
    buffers: f64,
    pub reports: i64,
}

impl Host {
    pub fn new(kind: Kind, index: u64) -> Self {
        let frames = include_str!("../../fixtures/library-frames.jsonl");
        let windows = include_str!("../../fixtures/metrics-windows-host.json");
        let frame = frames.lines().find(|line| line.starts_with("{\"type\":\"send_metrics\"")).unwrap();
        let document = match kind {
            Kind::Linux => serde_json::from_str::<Value>(frame).unwrap()["data"]["metrics"].clone(),
            Kind::Windows => serde_json::from_str(windows).unwrap(),
        };
        let source = Source::new(format!("web-{index}.example.org")).unwrap();
        let used = document["memory"]["used"].as_f64().unwrap();
        Self {
            source,
            document,
            rng: fastrand::Rng::with_seed(index),
            cpu: 40.0,
            used,
            heap: 5e6,
            buffers: 25_691.0,
            reports: 0,
        }
    }

    /// The document of the next second.
    pub fn next_document(&mut self) -> Document {
        self.reports += 1;
        let (pull, noise) = (self.rng.f64(), self.rng.f64());
        self.cpu = (0.9 * self.cpu + 4.0 + 20.0 * (pull - 0.5) + 6.0 * (noise - 0.5)).clamp(0.3, 100.0);
        let total = self.document["memory"]["total"].as_f64().unwrap();
        let step = ((self.rng.f64() - 0.5) * 400.0).round() * PAGE;
        self.used = (self.used + step).clamp(0.02 * total, 0.95 * total);
        self.heap = if self.heap > 9.5e6 { 5.1e6 } else { self.heap + (self.rng.f64() * 60_000.0).round() };
        self.buffers =
            if self.buffers > 9e5 { 26_000.0 } else { self.buffers + (self.rng.f64() * 5_000.0).round() };
        let uptime = 86_400.0 + self.reports as f64 + (self.rng.f64() * 1e6).round() / 1e9;
        let rss = 54e6_f64 + (self.heap / PAGE).round() * PAGE;
        let cpu = self.cpu;
        let document = &mut self.document;
        document["cpu"]["usage"] = json!(cpu);
        if document["cpu"]["loadAverage"][2] != json!(0) {
            for (place, smooth) in [(0, 1.0), (1, 0.3), (2, 0.1)] {
                document["cpu"]["loadAverage"][place] =
                    json!((cpu * smooth + 40.0 * (1.0 - smooth)).round() / 25.0);
            }
        }
        document["memory"]["used"] = json!(self.used);
        document["memory"]["free"] = json!(total - self.used);
        document["memory"]["usagePercent"] = json!(self.used / total * 100.0);
        document["process"]["uptime"] = json!(uptime);
        let memory = &mut document["process"]["memoryUsage"];
        memory["rss"] = json!(rss);
        memory["heapTotal"] = json!((self.heap / 262_144.0).ceil() * 262_144.0);
        memory["heapUsed"] = json!(self.heap);
        memory["external"] = json!(2_147_741.0 + self.buffers);
        memory["arrayBuffers"] = json!(self.buffers);
        Document::accept(&document.to_string()).unwrap()
    }
}

/// The span of `resolution` that starts `offset_ms` after the day of the recording.
pub fn span(resolution: Resolution, offset_ms: i64) -> RollupSpan {
    RollupSpan::containing(resolution, TimestampMs::clamped(DAY_START_MS + offset_ms))
}

/// The rollup of a minute of all `hosts`, each reporting every `every_s` seconds.
fn minute(hosts: &mut [Host], minute: i64, every_s: i64) -> Rollup {
    let span = span(Resolution::Minute, minute * MINUTE_MS);
    let mut builder = MinuteBuilder::new(span);
    for second in 0..60 {
        let reports = |index: i64| (minute * 60 + index + second) % every_s == 0;
        for (_, host) in (0..).zip(hosts.iter_mut()).filter(|(index, _)| reports(*index)) {
            let document = host.next_document();
            let at = span.start().plus_ms(second * 1_000 + 387);
            builder.add(at, &host.source, document.hash(), document.as_str()).unwrap();
        }
    }
    builder.finish()
}

/// The rollups of an hour of `hosts`: minutes, ten minutes, and the hour. Each host reports every `every_s` seconds.
pub fn hour(hosts: &mut [Host], every_s: i64) -> [Vec<Rollup>; 3] {
    let now = TimestampMs::clamped(DAY_START_MS + DAY_MS);
    let minutes: Vec<Rollup> = (0..60).map(|index| minute(hosts, index, every_s)).collect();
    let ten = |(index, below): (usize, &[Rollup])| {
        let span = span(Resolution::TenMinutes, index as i64 * 10 * MINUTE_MS);
        Rollup::from_finer(span, below, now).unwrap()
    };
    let tens: Vec<Rollup> = minutes.chunks(10).enumerate().map(ten).collect();
    let whole = Rollup::from_finer(span(Resolution::Hour, 0), &tens, now).unwrap();
    [minutes, tens, vec![whole]]
}
