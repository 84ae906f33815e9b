//! Recent reports packed into `subscribed` and `replay` frames of at most 30 KB.

use super::outbound::ReportPayload;
use super::packing::{array, pack};
use crate::ids::AppId;
use crate::rate::Rate;
use crate::report::{RecentReports, Report};
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs};

/// Span that is replayed to a viewer without `since`, in milliseconds.
pub const RECENT_MS: i64 = MINUTE_MS;

/// Span before `since` that is replayed again, because reports may be stored out of order.
pub const OVERLAP_MS: i64 = 5 * SECOND_MS;

/// Longest span that is replayed, in milliseconds; older reports are in the history.
pub const MAX_REPLAY_MS: i64 = 15 * MINUTE_MS;

/// Most reports that are replayed; the newest are kept.
pub const MAX_REPLAY_REPORTS: usize = 500;

/// Most bytes of documents that are replayed; the newest are kept. Five hundred reports of twice the library's size fit.
pub const MAX_REPLAY_BYTES: usize = 512 * 1_024;

/// Shortest time between two replays of an app to one connection, in milliseconds. A client that lost its connection
/// opens a new one, which gets its replay at once.
pub const REPLAY_EVERY_MS: i64 = 10 * SECOND_MS;

/// Bytes of replays of one app that a function instance sends, over all connections: sixty-four of the largest at once,
/// or thousands to viewers that reconnect after a short outage, and then one of the largest every four seconds.
pub const REPLAY_BYTES: Rate = Rate { per_second: 128 * 1_024, burst: 64 * 512 * 1_024 };

/// Bytes of a frame that are not reports: type, app and flags, rounded up.
const FRAME_OVERHEAD_BYTES: usize = 400;

/// Where a replay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayStart {
    /// Timestamp of the oldest report that is replayed.
    pub from: TimestampMs,
    /// Whether that is as early as the viewer asked for.
    pub reaches_since: bool,
}

impl ReplayStart {
    /// The start for a viewer whose newest report is of `since`.
    pub fn of(since: Option<TimestampMs>, now: TimestampMs) -> Self {
        let Some(since) = since else {
            return Self { from: now.plus_ms(-RECENT_MS), reaches_since: true };
        };
        let requested = since.plus_ms(-OVERLAP_MS);
        let earliest = now.plus_ms(-MAX_REPLAY_MS);
        Self { from: requested.max(earliest), reaches_since: requested >= earliest }
    }
}

/// The newest reports of `recent` that [`MAX_REPLAY_BYTES`] allow.
pub fn within_bytes(mut recent: RecentReports) -> RecentReports {
    let mut bytes = 0;
    let fits = |report: &&Report| {
        bytes += report.document.as_str().len();
        bytes <= MAX_REPLAY_BYTES
    };
    let kept = recent.reports.iter().rev().take_while(fits).count();
    let surplus = recent.reports.len() - kept;
    RecentReports {
        is_complete: recent.is_complete && surplus == 0,
        reports: recent.reports.split_off(surplus),
    }
}

/// The `subscribed` frame of `app` with `reports`, oldest first, then `replay` frames with the reports that do not fit
/// it. `is_complete` is false if older reports were requested than are replayed. A report whose stored document is not
/// JSON is left out.
pub fn frames(app: &AppId, reports: &[Report], is_complete: bool) -> Vec<String> {
    let payloads: Vec<String> = reports.iter().filter_map(ReportPayload::render).collect();
    let mut groups = pack(&payloads, FRAME_OVERHEAD_BYTES).into_iter();
    let frame = |kind: &str, reports: &[String], flags: String| {
        let reports = array(reports);
        format!(r#"{{"type":"{kind}","payload":{{"appId":"{app}","reports":{reports},{flags}}}}}"#)
    };
    // Without reports there is no group, but still a `subscribed` frame.
    let first = groups.next().unwrap_or_default();
    let count = groups.len();
    let flags = format!(r#""complete":{is_complete},"continued":{}"#, count > 0);
    let subscribed = frame("subscribed", first, flags);
    let replays = groups
        .enumerate()
        .map(|(index, reports)| frame("replay", reports, format!(r#""last":{}"#, index + 1 == count)));
    std::iter::once(subscribed).chain(replays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::packing::MAX_OUTBOUND_BYTES;
    use crate::ids::Source;
    use crate::report::Document;
    use proptest::prelude::*;
    use serde_json::Value;

    fn shop() -> AppId {
        AppId::new("a".repeat(128)).unwrap()
    }

    fn reports(sizes: &[usize]) -> Vec<Report> {
        let report = |(index, size): (usize, &usize)| Report {
            app: shop(),
            source: Source::new("s".repeat(128)).unwrap(),
            timestamp: TimestampMs::clamped(1_795_352_461_387 + index as i64),
            document: Document::accept(&format!("{{\"a\":\"{}\"}}", "x".repeat(*size))).unwrap(),
        };
        sizes.iter().enumerate().map(report).collect()
    }

    #[test]
    fn empty_replay_is_one_frame() {
        let frames = frames(&shop(), &[], true);
        let frame: Value = serde_json::from_str(&frames[0]).unwrap();
        assert_eq!(frame["payload"]["reports"], Value::Array(vec![]));
        assert_eq!(frame["payload"]["complete"], true);
        assert_eq!(frame["payload"]["continued"], false);
        assert_eq!(frames.len(), 1);
    }

    #[test]
    fn large_replay_keeps_its_newest_reports() {
        let recent =
            |count| within_bytes(RecentReports { reports: reports(&vec![14_000; count]), is_complete: true });
        let (small, large) = (recent(37), recent(100));
        assert_eq!((small.reports.len(), small.is_complete), (37, true));
        assert_eq!((large.reports.len(), large.is_complete), (37, false));
        assert_eq!(large.reports.last(), reports(&[14_000; 100]).last());
    }

    #[test]
    fn gap_longer_than_the_replay_is_reported() {
        let now = TimestampMs::clamped(1_800_000_000_000);
        let start = |since, from_ms: i64, reaches_since| {
            let from = now.plus_ms(-from_ms);
            assert_eq!(ReplayStart::of(since, now), ReplayStart { from, reaches_since });
        };
        start(None, RECENT_MS, true);
        start(Some(now.plus_ms(-MINUTE_MS)), MINUTE_MS + OVERLAP_MS, true);
        start(Some(now.plus_ms(-60 * MINUTE_MS)), MAX_REPLAY_MS, false);
    }

    proptest! {
        #[test]
        fn each_report_is_in_one_frame_below_the_limit(
            sizes in prop::collection::vec(0..14_000_usize, 0..40)
        ) {
            let reports = reports(&sizes);
            let frames = frames(&shop(), &reports, true);
            let mut ids = Vec::new();
            for (index, text) in frames.iter().enumerate() {
                prop_assert!(text.len() <= MAX_OUTBOUND_BYTES);
                let frame: Value = serde_json::from_str(text).unwrap();
                prop_assert_eq!(&frame["type"], if index == 0 { "subscribed" } else { "replay" });
                if index > 0 {
                    prop_assert_eq!(&frame["payload"]["last"], &Value::Bool(index + 1 == frames.len()));
                }
                let of_frame = frame["payload"]["reports"].as_array().unwrap().clone();
                ids.extend(of_frame.iter().map(|report| report["id"].as_str().unwrap().to_owned()));
            }
            let expected: Vec<_> = reports.iter().map(Report::id).collect();
            prop_assert_eq!(ids, expected);
        }
    }
}
