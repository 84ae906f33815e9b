//! One report as a line of text: time, source, CPU, memory, resident set size and network rates.

use crate::figure::figure;
use crate::rates::{Rate, Rates, Totals};
use jiff::{Timestamp, tz::TimeZone};
use nsl_domain::series::Unit;
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
pub(crate) fn render(report: &Value, timestamp_ms: Option<i64>, rates: &mut Rates, style: &Style) -> String {
    let metrics = report.get("metrics").unwrap_or(&Value::Null);
    let source = report.get("source").and_then(Value::as_str).unwrap_or("-");
    let mut parts = vec![style.dim(&time_of_day(timestamp_ms, &style.zone)), printable(source)];
    if let Some(name) = parts.last_mut() {
        *name = format!("{name:<SOURCE_WIDTH$}");
    }
    let known = known_parts(metrics, source, timestamp_ms, rates, style);
    if known.is_empty() {
        parts.push(printable(&metrics.to_string()).chars().take(MAX_OTHER).collect());
    }
    parts.extend(known);
    parts.join("  ")
}

fn known_parts(
    metrics: &Value,
    source: &str,
    timestamp_ms: Option<i64>,
    rates: &mut Rates,
    style: &Style,
) -> Vec<String> {
    let number = |pointer: &str| metrics.pointer(pointer).and_then(Value::as_f64);
    let mut parts = Vec::new();
    if let Some(usage) = number("/cpu/usage") {
        parts.push(style.gauge("cpu", usage));
    }
    let used_share =
        || Some(number("/memory/used")? / number("/memory/total").filter(|total| *total > 0.0)? * 100.0);
    if let Some(usage) = number("/memory/usagePercent").or_else(used_share) {
        parts.push(style.gauge("mem", usage));
    }
    if let Some(rss) = number("/process/memoryUsage/rss") {
        parts.push(format!("rss {:>BYTES_WIDTH$}", bytes(rss)));
    }
    let totals = timestamp_ms.and_then(|at_ms| Totals::of(metrics, at_ms));
    if let Some(rate) = totals.and_then(|totals| rates.observe(source, totals)) {
        parts.push(network(rate));
    }
    parts
}

impl Style {
    fn dim(&self, text: &str) -> String {
        if self.color { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn gauge(&self, name: &str, percent: f64) -> String {
        let bar = bar(percent);
        let figure = format!("{:>5}", figure(percent, Some(Unit::Percent)));
        if !self.color {
            return format!("{name} {bar} {figure}");
        }
        let color = match percent {
            percent if percent >= HOT => 31,
            percent if percent >= WARM => 33,
            _ => 32,
        };
        format!("{name} \x1b[{color}m{bar}\x1b[0m {figure}")
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

/// Replaces control characters, which the terminal would interpret.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '·' } else { character }).collect()
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
        render(&report, Some(1_764_000_000_007), &mut Rates::default(), style)
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
        assert!(!render(&report(0), Some(1_000), &mut rates, &plain()).contains('↓'));
        let second = render(&report(2_048), Some(2_000), &mut rates, &plain());
        assert!(second.ends_with("↓     2 KiB/s  ↑     2 KiB/s"), "{second}");
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
    fn control_characters_are_replaced() {
        let report = json!({"metrics": {"cpu": {"usage": 1}}, "source": "\u{1b}[2Jevil"});
        assert!(!render(&report, None, &mut Rates::default(), &plain()).contains('\x1b'));
    }
}
