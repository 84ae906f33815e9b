//! Recent reports packed into `subscribed` and `replay` frames.
//!
//! Owns the packing: every frame stays below 30 KB and no report is left out. Refuses to choose the reports.
//! Ruled by protocol.md §1 (`subscribe`) and design.md §7.

use serde::Serialize;
use serde_json::value::RawValue;

use super::limits::MAX_OUTBOUND_BYTES;
use super::outbound::ReportPayload;
use crate::ids::AppId;
use crate::report::Report;
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs};

/// Span that a viewer without `since` is shown, in milliseconds.
pub const RECENT_MS: i64 = MINUTE_MS;

/// Span before `since` that is replayed again, since reports are stored out of order: protocol.md §1.
pub const OVERLAP_MS: i64 = 5 * SECOND_MS;

/// Longest span that is replayed, in milliseconds; history is the place to read further back.
pub const MAX_REPLAY_MS: i64 = 15 * MINUTE_MS;

/// Most reports that are replayed: the newest.
pub const MAX_REPLAY_REPORTS: usize = 500;

/// Bytes of a frame that are not reports: type, application, flags, with room to spare.
const FRAME_OVERHEAD_BYTES: usize = 400;

/// From when on reports are replayed to a viewer who last saw `since`, and whether that leaves no gap.
pub fn replay_start(since: Option<TimestampMs>, now: TimestampMs) -> (TimestampMs, bool) {
    let Some(since) = since else {
        return (now.plus_ms(-RECENT_MS), true);
    };
    let wanted = since.plus_ms(-OVERLAP_MS);
    let earliest = now.plus_ms(-MAX_REPLAY_MS);
    (wanted.max(earliest), wanted >= earliest)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubscribedPayload<'a> {
    app_id: &'a AppId,
    reports: Vec<Box<RawValue>>,
    complete: bool,
    continued: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplayPayload<'a> {
    app_id: &'a AppId,
    reports: Vec<Box<RawValue>>,
    last: bool,
}

#[derive(Serialize)]
struct Frame<'a, P> {
    #[serde(rename = "type")]
    kind: &'a str,
    payload: P,
}

/// The `subscribed` frame of `app` with `reports`, oldest first, and the `replay` frames that carry what does not
/// fit it. `complete` is false where older reports were asked for than are replayed.
pub fn frames(app: &AppId, reports: &[Report], complete: bool) -> (String, Vec<String>) {
    let mut chunks = pack(reports).into_iter();
    let first = chunks.next().unwrap_or_default();
    let rest: Vec<_> = chunks.collect();
    let continued = !rest.is_empty();
    let subscribed =
        render("subscribed", SubscribedPayload { app_id: app, reports: first, complete, continued });
    let count = rest.len();
    let replays = rest.into_iter().enumerate().map(|(index, reports)| {
        render("replay", ReplayPayload { app_id: app, reports, last: index + 1 == count })
    });
    (subscribed, replays.collect())
}

fn render<P: Serialize>(kind: &str, payload: P) -> String {
    serde_json::to_string(&Frame { kind, payload }).unwrap_or_default()
}

/// Groups of rendered reports, each small enough for a frame; a report that can no longer be read is left out.
fn pack(reports: &[Report]) -> Vec<Vec<Box<RawValue>>> {
    let mut chunks: Vec<Vec<Box<RawValue>>> = Vec::new();
    let mut room = 0;
    for report in reports {
        let Some(rendered) = ReportPayload::of(report).map(|payload| payload.render()) else { continue };
        let bytes = rendered.len() + 1;
        let Ok(raw) = RawValue::from_string(rendered) else { continue };
        match chunks.last_mut().filter(|_| bytes <= room) {
            Some(chunk) => chunk.push(raw),
            None => {
                chunks.push(vec![raw]);
                room = MAX_OUTBOUND_BYTES - FRAME_OVERHEAD_BYTES;
            }
        }
        room = room.saturating_sub(bytes);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn nothing_to_replay_is_one_frame() {
        let (subscribed, replays) = frames(&shop(), &[], true);
        let frame: Value = serde_json::from_str(&subscribed).unwrap();
        assert_eq!(frame["payload"]["reports"], Value::Array(vec![]));
        assert_eq!(frame["payload"]["complete"], true);
        assert_eq!(frame["payload"]["continued"], false);
        assert!(replays.is_empty());
    }

    #[test]
    fn a_gap_longer_than_the_replay_is_told() {
        let now = TimestampMs::clamped(1_800_000_000_000);
        assert_eq!(replay_start(None, now), (now.plus_ms(-RECENT_MS), true));
        let minute_ago = now.plus_ms(-MINUTE_MS);
        assert_eq!(replay_start(Some(minute_ago), now), (minute_ago.plus_ms(-OVERLAP_MS), true));
        let hour_ago = now.plus_ms(-60 * MINUTE_MS);
        assert_eq!(replay_start(Some(hour_ago), now), (now.plus_ms(-MAX_REPLAY_MS), false));
    }

    proptest! {
        #[test]
        fn every_report_is_in_exactly_one_frame_and_none_is_too_large(
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
