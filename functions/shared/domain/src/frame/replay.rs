//! Recent reports packed into `subscribed` and `replay` frames of at most 30 KB.

use super::outbound::ReportPayload;
use super::packing::{array, pack};
use crate::ids::AppId;
use crate::report::Report;
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs};

/// Span that is replayed to a viewer without `since`, in milliseconds.
pub const RECENT_MS: i64 = MINUTE_MS;

/// Span before `since` that is replayed again, because reports may be stored out of order.
pub const OVERLAP_MS: i64 = 5 * SECOND_MS;

/// Longest span that is replayed, in milliseconds; older reports are in the history.
pub const MAX_REPLAY_MS: i64 = 15 * MINUTE_MS;

/// Most reports that are replayed; the newest are kept.
pub const MAX_REPLAY_REPORTS: usize = 500;

/// Bytes of a frame that are not reports: type, app and flags, rounded up.
const FRAME_OVERHEAD_BYTES: usize = 400;

/// Start of the replay for a viewer whose newest report is of `since`, and whether the replay reaches back that far.
pub fn replay_start(since: Option<TimestampMs>, now: TimestampMs) -> (TimestampMs, bool) {
    let Some(since) = since else {
        return (now.plus_ms(-RECENT_MS), true);
    };
    let wanted = since.plus_ms(-OVERLAP_MS);
    let earliest = now.plus_ms(-MAX_REPLAY_MS);
    (wanted.max(earliest), wanted >= earliest)
}

/// The `subscribed` frame of `app` with `reports`, oldest first, and the `replay` frames that carry what does not
/// fit it. `complete` is false where older reports were requested than are replayed. A report whose stored document is
/// not JSON is left out.
pub fn frames(app: &AppId, reports: &[Report], complete: bool) -> (String, Vec<String>) {
    let payloads: Vec<String> =
        reports.iter().filter_map(ReportPayload::of).map(|payload| payload.render()).collect();
    let mut groups = pack(&payloads, FRAME_OVERHEAD_BYTES).into_iter();
    let frame = |kind: &str, reports: &[String], flags: String| {
        let reports = array(reports);
        format!(r#"{{"type":"{kind}","payload":{{"appId":"{app}","reports":{reports},{flags}}}}}"#)
    };
    let first = groups.next().unwrap_or_default();
    let count = groups.len();
    let flags = format!(r#""complete":{complete},"continued":{}"#, count > 0);
    let subscribed = frame("subscribed", first, flags);
    let replays = groups
        .enumerate()
        .map(|(index, reports)| frame("replay", reports, format!(r#""last":{}"#, index + 1 == count)));
    (subscribed, replays.collect())
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
        let (subscribed, replays) = frames(&shop(), &[], true);
        let frame: Value = serde_json::from_str(&subscribed).unwrap();
        assert_eq!(frame["payload"]["reports"], Value::Array(vec![]));
        assert_eq!(frame["payload"]["complete"], true);
        assert_eq!(frame["payload"]["continued"], false);
        assert!(replays.is_empty());
    }

    #[test]
    fn gap_longer_than_the_replay_is_reported() {
        let now = TimestampMs::clamped(1_800_000_000_000);
        assert_eq!(replay_start(None, now), (now.plus_ms(-RECENT_MS), true));
        let minute_ago = now.plus_ms(-MINUTE_MS);
        assert_eq!(replay_start(Some(minute_ago), now), (minute_ago.plus_ms(-OVERLAP_MS), true));
        let hour_ago = now.plus_ms(-60 * MINUTE_MS);
        assert_eq!(replay_start(Some(hour_ago), now), (now.plus_ms(-MAX_REPLAY_MS), false));
    }

    proptest! {
        #[test]
        fn each_report_is_in_one_frame_below_the_limit(
            sizes in prop::collection::vec(0..14_000_usize, 0..40)
        ) {
            let reports = reports(&sizes);
            let (subscribed, replays) = frames(&shop(), &reports, true);
            let mut ids = Vec::new();
            for (index, text) in std::iter::once(&subscribed).chain(&replays).enumerate() {
                prop_assert!(text.len() <= MAX_OUTBOUND_BYTES);
                let frame: Value = serde_json::from_str(text).unwrap();
                prop_assert_eq!(&frame["type"], if index == 0 { "subscribed" } else { "replay" });
                if index > 0 {
                    prop_assert_eq!(&frame["payload"]["last"], &Value::Bool(index == replays.len()));
                }
                let of_frame = frame["payload"]["reports"].as_array().unwrap().clone();
                ids.extend(of_frame.iter().map(|report| report["id"].as_str().unwrap().to_owned()));
            }
            let expected: Vec<_> = reports.iter().map(Report::id).collect();
            prop_assert_eq!(ids, expected);
        }
    }
}
