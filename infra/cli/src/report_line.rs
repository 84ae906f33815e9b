//! One report as a line of text: time, source, CPU, memory, resident set size and network rates.

use crate::figure::figure;
use crate::rates::{Rate, Rates, Totals};
use jiff::{Timestamp, tz::TimeZone};
use nsl_domain::series::Unit;
use nsl_terminal::{Line, Style as Color, padded, printable_json};
use serde_json::Value;

/// Characters of a bar.
const BAR_WIDTH: usize = 10;

/// Columns that the source is padded to.
const SOURCE_WIDTH: usize = 16;

/// Longest figure of bytes: `1,023 MiB`.
const BYTES_WIDTH: usize = 9;

/// Characters that are shown of a document without any of the known fields.
const MAX_OTHER: usize = 100;

/// Usage in percent that is shown as a warning.
const WARM: f64 = 60.0;

/// Usage in percent that is shown as an alarm.
const HOT: f64 = 85.0;

/// The format of lines.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    /// Whether lines contain colours.
    pub(crate) color: bool,
    /// Time zone of the times.
    pub(crate) zone: TimeZone,
}

/// Renders a report with the time `timestamp_ms`.
pub(crate) fn render(report: &Value, timestamp_ms: Option<i64>, rates: &mut Rates, style: &Style) -> Line {
    let metrics = report.get("metrics").unwrap_or(&Value::Null);
    let source = report.get("source").and_then(Value::as_str).unwrap_or("-");
    let mut line = Line::default();
    style.push(&mut line, &time_of_day(timestamp_ms, &style.zone), Color::Dim);
    line.push(&format!("  {}", padded(source, SOURCE_WIDTH)));
    let metered = style.push_gauges(&mut line, metrics);
    let parts = other_parts(metrics, source, timestamp_ms, rates);
    if !metered && parts.is_empty() {
        let document = printable_json(&metrics.to_string()).chars().take(MAX_OTHER).collect::<String>();
        line.push(&format!("  {document}"));
    }
    for part in parts {
        line.push(&format!("  {part}"));
    }
    line
}

/// Resident set size and network rates.
fn other_parts(metrics: &Value, source: &str, timestamp_ms: Option<i64>, rates: &mut Rates) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(rss) = number(metrics, "/process/memoryUsage/rss") {
        parts.push(format!("rss {:>BYTES_WIDTH$}", bytes(rss)));
    }
    let totals = timestamp_ms.and_then(|at_ms| Totals::of(metrics, at_ms));
    if let Some(rate) = totals.and_then(|totals| rates.observe(source, totals)) {
        parts.push(network(rate));
    }
    parts
}

fn number(metrics: &Value, pointer: &str) -> Option<f64> {
    metrics.pointer(pointer).and_then(Value::as_f64)
}

/// The used part of the memory in percent.
fn memory_usage(metrics: &Value) -> Option<f64> {
    let used_share = || {
        let total = number(metrics, "/memory/total").filter(|total| *total > 0.0)?;
        Some(number(metrics, "/memory/used")? / total * 100.0)
    };
    number(metrics, "/memory/usagePercent").or_else(used_share)
}

impl Style {
    fn push(&self, line: &mut Line, text: &str, color: Color) {
        if self.color { line.push_styled(text, color) } else { line.push(text) }
    }

    /// Appends the usage of CPU and memory; returns whether the document has one of them.
    fn push_gauges(&self, line: &mut Line, metrics: &Value) -> bool {
        let usages = [("cpu", number(metrics, "/cpu/usage")), ("mem", memory_usage(metrics))];
        let mut has_any = false;
        for (name, percent) in usages {
            let Some(percent) = percent else { continue };
            has_any = true;
            let color = match percent {
                percent if percent >= HOT => Color::Red,
                percent if percent >= WARM => Color::Yellow,
                _ => Color::Green,
            };
            line.push(&format!("  {name} "));
            self.push(line, &bar(percent), color);
            line.push(&format!(" {:>5}", figure(percent, Some(Unit::Percent))));
        }
        has_any
    }
}

/// A bar of `percent`, limited to 0 to 100.
fn bar(percent: f64) -> String {
    let filled = (percent.clamp(0.0, 100.0) / 100.0 * BAR_WIDTH as f64).round() as usize;
    (0..BAR_WIDTH).map(|cell| if cell < filled { '█' } else { '░' }).collect()
}

fn bytes(count: f64) -> String {
    figure(count, Some(Unit::Bytes))
}

fn network(rate: Rate) -> String {
    format!("↓ {:>BYTES_WIDTH$}/s  ↑ {:>BYTES_WIDTH$}/s", bytes(rate.received), bytes(rate.sent))
}

fn time_of_day(timestamp_ms: Option<i64>, zone: &TimeZone) -> String {
    timestamp_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).map_or_else(
        || "--:--:--".to_owned(),
        |at| at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plain() -> Style {
        Style { color: false, zone: TimeZone::UTC }
    }

    fn line(metrics: Value, style: &Style) -> String {
        let report = json!({"metrics": metrics, "source": "web-1", "id": "x"});
        render(&report, Some(1_764_000_000_007), &mut Rates::default(), style).as_str().to_owned()
    }

    #[test]
    fn bar_is_proportional_to_the_percentage() {
        assert_eq!(bar(0.0), "░░░░░░░░░░");
        assert_eq!(bar(44.0), "████░░░░░░");
        assert_eq!(bar(100.0), "██████████");
        assert_eq!(bar(250.0), "██████████");
        assert_eq!(bar(-1.0), "░░░░░░░░░░");
        assert_eq!(bar(f64::NAN), "░░░░░░░░░░");
    }

    #[test]
    fn line_shows_time_source_usage_and_resident_set() {
        let metrics = json!({"cpu": {"usage": 61.4}, "memory": {"used": 1, "total": 4},
            "process": {"memoryUsage": {"rss": 55_762_944}}});
        assert_eq!(
            line(metrics, &plain()),
            "16:00:00  web-1             cpu ██████░░░░   61%  mem ███░░░░░░░   25%  rss  53.2 MiB"
        );
    }

    #[test]
    fn network_rate_appears_with_the_second_report() {
        let report = |bytes: u64| {
            json!({"metrics": {"cpu": {"usage": 1}, "network": {"interfaces": {"eth0":
            {"bytesReceived": bytes, "bytesSent": bytes}}}}, "source": "s"})
        };
        let mut rates = Rates::default();
        let mut line = |bytes, at_ms| render(&report(bytes), Some(at_ms), &mut rates, &plain());
        assert!(!line(0, 1_000).as_str().contains('↓'));
        let second = line(2_048, 2_000);
        assert!(second.as_str().ends_with("↓     2 KiB/s  ↑     2 KiB/s"), "{second:?}");
    }

    #[test]
    fn colour_appears_only_if_enabled() {
        let colored = Style { color: true, zone: TimeZone::UTC };
        let hot = json!({"cpu": {"usage": 90}});
        assert!(line(hot.clone(), &colored).contains("\x1b[31m"));
        assert!(!line(hot, &plain()).contains('\x1b'));
    }

    #[test]
    fn unknown_document_is_shown_as_json() {
        assert!(line(json!({"orders": 7}), &plain()).ends_with(r#"{"orders":7}"#));
    }

    #[test]
    fn hostile_report_stays_on_its_line() {
        for color in [true, false] {
            let style = Style { color, zone: TimeZone::UTC };
            for metrics in [json!({"cpu": {"usage": 1}}), json!({"\u{9b}2J\u{202e}": "\n"})] {
                let report = json!({"metrics": metrics, "source": "\u{1b}[2Jevil\r\n12:00:00"});
                let line = render(&report, None, &mut Rates::default(), &style);
                let own = line.as_str().replace("\x1b[2m", "").replace("\x1b[32m", "").replace("\x1b[0m", "");
                assert!(nsl_terminal::is_printable(&own), "{line:?}");
                assert!(own.contains("\\u{1b}[2Jevil\\r\\n12:00:00"), "{line:?}");
            }
        }
    }
}
