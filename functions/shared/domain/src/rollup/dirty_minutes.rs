//! Which rollups a batch of stored reports makes out of date.
//!
//! Only the minutes matter, not how often or in which order reports are delivered: a minute is always recomputed from
//! what is stored.

use std::collections::{BTreeMap, BTreeSet};

use super::{AppShard, RollupSpan};
use crate::resolution::Resolution;
use crate::time::TimestampMs;

/// The minutes of each write shard in which reports were stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirtyMinutes(BTreeMap<AppShard, BTreeSet<RollupSpan>>);

impl DirtyMinutes {
    /// Adds the minute of a report with timestamp `instant`.
    pub fn insert(&mut self, shard: AppShard, instant: TimestampMs) {
        self.0.entry(shard).or_default().insert(RollupSpan::containing(Resolution::Minute, instant));
    }

    /// The minutes of each write shard, ascending.
    pub fn into_minutes(self) -> impl Iterator<Item = (AppShard, BTreeSet<RollupSpan>)> {
        self.0.into_iter()
    }
}

/// The coarser spans to recompute at `now` once `spans` are recomputed: those above the spans that have ended.
///
/// A span that is still running is not merged into those above it. This saves most writes: an hour is written as often
/// as its ten-minute spans end, not once a minute.
pub fn due_coarser(spans: &BTreeSet<RollupSpan>, now: TimestampMs) -> BTreeSet<RollupSpan> {
    spans.iter().filter(|span| span.has_ended(now)).filter_map(|span| span.coarser()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AppId;

    #[test]
    fn many_reports_of_a_minute_add_it_once() {
        let shard = |shard| AppShard { app: AppId::new("shop").unwrap(), shard };
        let mut dirty = DirtyMinutes::default();
        for ms in [119_999, 60_000, 60_001, 120_000, 60_000] {
            dirty.insert(shard(0), TimestampMs::clamped(ms));
        }
        dirty.insert(shard(1), TimestampMs::clamped(0));
        let minutes: Vec<_> = dirty
            .into_minutes()
            .map(|(shard, minutes)| (shard.shard, minutes.iter().map(|span| span.start().ms()).collect()))
            .collect();
        assert_eq!(minutes, [(0, vec![60_000, 120_000]), (1, vec![0])]);
    }

    #[test]
    fn only_ended_spans_make_coarser_ones_due() {
        let minute = |minutes: i64| {
            RollupSpan::containing(
                Resolution::Minute,
                TimestampMs::clamped(minutes * Resolution::Minute.ms()),
            )
        };
        let spans = BTreeSet::from([minute(9), minute(10), minute(19), minute(20)]);
        let due = |now: i64| {
            let now = TimestampMs::clamped(now * Resolution::Minute.ms());
            due_coarser(&spans, now).into_iter().map(|span| span.start()).collect::<Vec<_>>()
        };
        let ten = |index: i64| TimestampMs::clamped(index * Resolution::TenMinutes.ms());
        assert!(due(9).is_empty());
        assert_eq!(due(10), [ten(0)]);
        assert_eq!(due(20), [ten(0), ten(1)]);
        assert_eq!(due(21), [ten(0), ten(1), ten(2)]);
    }
}
