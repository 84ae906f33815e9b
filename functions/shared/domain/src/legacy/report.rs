//! Reports of the library: never rejected for their time, and attributed to the process that sent them.

use crate::frame::draft::{ReportDraft, ReportSender};
use crate::frame::fields::Field;
use crate::legacy::process::ProcessStart;
use crate::report::{MAX_AHEAD_MS, Report};
use crate::time::TimestampMs;

/// Largest difference between the library's clock and ours at which its timestamps are used.
pub const MAX_LEGACY_SKEW_MS: i64 = MAX_AHEAD_MS;

/// Whether the timestamp of a library's report could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportTime {
    /// It is absent or within [`MAX_LEGACY_SKEW_MS`] of our clock.
    Trusted,
    /// It is too far off; the report is stamped with its arrival.
    Skewed {
        /// How far the sender's clock is ahead of ours in milliseconds, negative if it is behind.
        ahead_ms: i64,
    },
    /// It is not an instant of the range of [`TimestampMs`]; the report is stamped with its arrival.
    Malformed,
}

/// A report of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyReport {
    /// The report. Its source names the second in which the sending process started, or else the connection.
    pub report: Report,
    /// The start of the process, if the report shows it.
    pub start: Option<ProcessStart>,
    /// What became of its timestamp.
    pub time: ReportTime,
}

impl LegacyReport {
    /// The report of `draft`. The library has no `source` field, so none is read.
    pub fn from_draft(draft: ReportDraft, sender: &ReportSender) -> Self {
        let arrival = draft.arrival(sender);
        let (sent, time) = match draft.timestamp {
            Field::Absent => (arrival, ReportTime::Trusted),
            Field::Valid(timestamp) => (timestamp, report_time(timestamp, sender.arrival)),
            Field::Malformed => (arrival, ReportTime::Malformed),
        };
        // The start of the process is computed by its own clock, wrong or not, so that a reconnect does not change it.
        let start = ProcessStart::of_report(&draft.document, sent);
        let source = start.as_ref().and_then(ProcessStart::name);
        let timestamp = if time == ReportTime::Trusted { sent } else { arrival };
        let report = Report {
            app: draft.app,
            source: source.unwrap_or_else(|| sender.source.clone()),
            timestamp,
            document: draft.document,
        };
        Self { report, start, time }
    }
}

fn report_time(timestamp: TimestampMs, arrival: TimestampMs) -> ReportTime {
    let ahead_ms = timestamp.ms_since(arrival);
    if ahead_ms.abs() <= MAX_LEGACY_SKEW_MS { ReportTime::Trusted } else { ReportTime::Skewed { ahead_ms } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AppId, Source};
    use crate::report::Document;
    use proptest::prelude::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn sender() -> ReportSender {
        ReportSender { source: Source::new("connection-1").unwrap(), arrival: TimestampMs::clamped(NOW_MS) }
    }

    fn draft(timestamp: Field<TimestampMs>, json: &str) -> ReportDraft {
        ReportDraft {
            app: AppId::new("shop").unwrap(),
            source: Field::Valid(Source::new("named").unwrap()),
            timestamp,
            index: 3,
            document: Document::accept(json).unwrap(),
        }
    }

    fn at(ms: i64) -> Field<TimestampMs> {
        Field::Valid(TimestampMs::clamped(ms))
    }

    /// What became of a timestamp, and the milliseconds of the report.
    fn stamped(timestamp: Field<TimestampMs>) -> (ReportTime, i64) {
        let legacy = LegacyReport::from_draft(draft(timestamp, "{}"), &sender());
        (legacy.time, legacy.report.timestamp.ms())
    }

    #[test]
    fn timestamps_up_to_five_minutes_off_are_used() {
        for off_ms in [0, -1, MAX_LEGACY_SKEW_MS, -MAX_LEGACY_SKEW_MS] {
            assert_eq!(stamped(at(NOW_MS + off_ms)), (ReportTime::Trusted, NOW_MS + off_ms));
        }
        for ahead_ms in [MAX_LEGACY_SKEW_MS + 1, -MAX_LEGACY_SKEW_MS - 1, -NOW_MS] {
            let expected = (ReportTime::Skewed { ahead_ms }, NOW_MS + 3);
            assert_eq!(stamped(at(NOW_MS + ahead_ms)), expected);
        }
    }

    #[test]
    fn reports_without_a_usable_time_are_stamped_with_their_arrival() {
        assert_eq!(stamped(Field::Absent), (ReportTime::Trusted, NOW_MS + 3));
        assert_eq!(stamped(Field::Malformed), (ReportTime::Malformed, NOW_MS + 3));
    }

    #[test]
    fn source_is_the_second_in_which_the_process_started() {
        // As recorded from the library: the start varies by a few milliseconds from report to report.
        let source = |timestamp: &str, json: &str| {
            let arrival = TimestampMs::from_iso(timestamp).unwrap();
            let sender = ReportSender { arrival, ..sender() };
            LegacyReport::from_draft(draft(Field::Valid(arrival), json), &sender).report.source
        };
        let first = source("2026-11-22T13:01:01.387Z", r#"{"process":{"uptime":1.135642182}}"#);
        assert_eq!(first.as_str(), "started-2026-11-22T13:01:00Z");
        assert_eq!(source("2026-11-22T13:01:20.411Z", r#"{"process":{"uptime":20.159032982}}"#), first);
        for json in [
            "{}",
            r#"{"process":{"uptime":-1}}"#,
            r#"{"process":{"uptime":1e300}}"#,
            r#"{"process":{"uptime":"1"}}"#,
        ] {
            assert_eq!(source("2026-11-22T13:01:20.411Z", json).as_str(), "connection-1", "{json}");
        }
    }

    proptest! {
        #[test]
        fn skewed_clock_keeps_the_source(off_ms in -NOW_MS / 2..NOW_MS, later_ms in 0..1_000_000_i64) {
            let source = |elapsed_ms: i64| {
                let uptime = (86_400_000 + elapsed_ms) as f64 / 1_000.0;
                let json = format!("{{\"process\":{{\"uptime\":{uptime}}}}}");
                let draft = draft(at(NOW_MS + off_ms + elapsed_ms), &json);
                LegacyReport::from_draft(draft, &sender()).report.source
            };
            prop_assert_eq!(source(0), source(later_ms));
        }
    }
}
