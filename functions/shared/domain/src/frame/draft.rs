//! A report as a frame tells it, before its sender is known well enough to say by whose clock and name it goes.
//!
//! Owns the two ways to settle it: a modern sender is held to what it says, a legacy one, which cannot be told of a
//! mistake, is taken in spite of it. Refuses to know which of them sent it. Ruled by design.md §5 and §6.

use crate::ids::{AppId, Source};
use crate::rejection::Rejection;
use crate::report::{Document, MAX_AHEAD_MS, Report, timely};
use crate::time::{SECOND_MS, TimestampMs};

/// Furthest that the clock of a legacy sender may be off, either way: design.md §6.
pub const MAX_LEGACY_OFF_MS: i64 = MAX_AHEAD_MS;

/// The series that tells how long a process has run, in seconds.
const UPTIME: &str = "process.uptime";

/// Who sent a frame, and when it arrived.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The source of reports that name none.
    pub source: Source,
    /// The instant of arrival.
    pub arrival: TimestampMs,
}

/// A report whose document is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub(super) app: AppId,
    pub(super) source: Result<Option<Source>, Rejection>,
    pub(super) stamp: Result<Option<TimestampMs>, Rejection>,
    /// Its place in the frame.
    pub(super) index: usize,
    pub(super) document: Document,
}

/// What the clock of a legacy sender is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// It is within [`MAX_LEGACY_OFF_MS`] of ours, or says nothing.
    Right,
    /// It is this far ahead of ours, or behind where negative.
    Wrong {
        /// Milliseconds.
        ahead_ms: i64,
    },
    /// What it says is no instant between 1970 and 9999.
    Unreadable,
}

/// A report of a legacy sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyReport {
    /// The report. Its source is that of its process, or the sender's where it does not tell when that started.
    pub report: Report,
    /// The clock that stamped it; unless it is right, the report is stamped with its arrival.
    pub clock: Clock,
}

impl Draft {
    /// The report of a modern sender, whose every field is taken at its word.
    ///
    /// # Errors
    /// `invalid_field` for a source or a timestamp that is none, `timestamp_out_of_range` for one too far off.
    pub fn modern(self, sender: &Sender) -> Result<Report, Rejection> {
        let source = self.source?.unwrap_or_else(|| sender.source.clone());
        let timestamp = self.stamp?.unwrap_or_else(|| arrival_of(self.index, sender));
        timely(timestamp, sender.arrival)?;
        Ok(Report { app: self.app, source, timestamp, document: self.document })
    }

    /// The report of a legacy sender. Its dialect knows no `source`, so that none is read.
    pub fn legacy(self, sender: &Sender) -> LegacyReport {
        let arrival = arrival_of(self.index, sender);
        let stamp = self.stamp.as_ref().copied();
        let clock = match stamp {
            Ok(stamp) => clock_of(stamp.unwrap_or(arrival), sender.arrival),
            Err(_) => Clock::Unreadable,
        };
        let told = stamp.ok().flatten().unwrap_or(arrival);
        // By its own clock, wrong or not: the same clock tells it after a reconnect.
        let source = source_of_process(&self.document, told).unwrap_or_else(|| sender.source.clone());
        let timestamp = if clock == Clock::Right { told } else { arrival };
        let report = Report { app: self.app, source, timestamp, document: self.document };
        LegacyReport { report, clock }
    }
}

/// When the report at `index` of a frame arrived: reports of one frame that say no time must not fall on each other.
fn arrival_of(index: usize, sender: &Sender) -> TimestampMs {
    sender.arrival.plus_ms(i64::try_from(index).unwrap_or(0))
}

fn clock_of(stamp: TimestampMs, arrival: TimestampMs) -> Clock {
    let ahead_ms = stamp.ms_since(arrival);
    if ahead_ms.abs() <= MAX_LEGACY_OFF_MS { Clock::Right } else { Clock::Wrong { ahead_ms } }
}

/// The source that a process is which says at `now` how long it has run: the second in which it started, rounded, so
/// that the milliseconds by which clock and uptime disagree from report to report make no other source.
fn source_of_process(document: &Document, now: TimestampMs) -> Option<Source> {
    let mut uptime = None;
    document.for_each_sample(|path, value| {
        if path == UPTIME {
            uptime = Some(value);
        }
    });
    let uptime_ms = (uptime? * 1_000.0).round();
    if !(0.0..=now.ms() as f64).contains(&uptime_ms) {
        return None;
    }
    let started = now.plus_ms(SECOND_MS / 2 - uptime_ms as i64).aligned_to(SECOND_MS);
    // `2026-11-22T13:01:00`: the first nineteen characters of ISO 8601 say the second.
    let iso = started.to_string();
    Source::new(format!("started-{}Z", iso.get(..19)?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn sender() -> Sender {
        Sender { source: Source::new("connection-1").unwrap(), arrival: TimestampMs::clamped(NOW_MS) }
    }

    fn draft(stamp: Result<Option<i64>, Rejection>, json: &str) -> Draft {
        Draft {
            app: AppId::new("shop").unwrap(),
            source: Ok(Some(Source::new("named").unwrap())),
            stamp: stamp.map(|ms| ms.map(TimestampMs::clamped)),
            index: 3,
            document: Document::accept(json).unwrap(),
        }
    }

    fn legacy(stamp: Option<i64>) -> LegacyReport {
        draft(Ok(stamp), "{}").legacy(&sender())
    }

    #[test]
    fn a_legacy_clock_five_minutes_off_is_believed_and_none_beyond() {
        for off_ms in [0, -1, MAX_LEGACY_OFF_MS, -MAX_LEGACY_OFF_MS] {
            let taken = legacy(Some(NOW_MS + off_ms));
            assert_eq!((taken.clock, taken.report.timestamp.ms()), (Clock::Right, NOW_MS + off_ms));
        }
        for ahead_ms in [MAX_LEGACY_OFF_MS + 1, -MAX_LEGACY_OFF_MS - 1, -NOW_MS] {
            let taken = legacy(Some(NOW_MS + ahead_ms));
            assert_eq!((taken.clock, taken.report.timestamp.ms()), (Clock::Wrong { ahead_ms }, NOW_MS + 3));
        }
    }

    #[test]
    fn a_legacy_report_without_a_time_is_stamped_with_its_arrival() {
        let taken = legacy(None);
        assert_eq!((taken.clock, taken.report.timestamp.ms()), (Clock::Right, NOW_MS + 3));
        let taken = draft(Err(Rejection::invalid("timestamp", "is none")), "{}").legacy(&sender());
        assert_eq!((taken.clock, taken.report.timestamp.ms()), (Clock::Unreadable, NOW_MS + 3));
    }

    #[test]
    fn a_modern_report_is_held_to_what_it_says() {
        let report = draft(Ok(Some(NOW_MS)), "{}").modern(&sender()).unwrap();
        assert_eq!((report.source.as_str(), report.timestamp.ms()), ("named", NOW_MS));
        let refused = draft(Ok(Some(NOW_MS + MAX_AHEAD_MS + 1)), "{}").modern(&sender()).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("timestamp"));
        assert!(draft(Err(Rejection::invalid("timestamp", "is none")), "{}").modern(&sender()).is_err());
    }

    #[test]
    fn a_legacy_source_is_the_second_in_which_its_process_started() {
        // As the library was recorded: the start that its reports tell wanders by a few milliseconds.
        let source = |stamp: &str, json: &str| {
            let stamp = TimestampMs::from_iso(stamp).unwrap();
            let sender = Sender { arrival: stamp, ..sender() };
            draft(Ok(Some(stamp.ms())), json).legacy(&sender).report.source
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
        fn a_wrong_clock_changes_no_source(off_ms in -NOW_MS / 2..NOW_MS, later_ms in 0..1_000_000_i64) {
            let at = |elapsed_ms: i64| {
                let uptime = (86_400_000 + elapsed_ms) as f64 / 1_000.0;
                let json = format!("{{\"process\":{{\"uptime\":{uptime}}}}}");
                draft(Ok(Some(NOW_MS + off_ms + elapsed_ms)), &json).legacy(&sender()).report.source
            };
            prop_assert_eq!(at(0), at(later_ms));
        }
    }
}
