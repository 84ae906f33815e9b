//! What a batch of stored reports makes out of date.
//!
//! Owns the way from reports to the minutes that hold them, and from minutes up. Refuses to count: how often and in
//! which order a report is told says nothing, the minute is computed anew from what is stored. Ruled by design.md §6.

use std::collections::{BTreeMap, BTreeSet};

use super::RollupSpan;
use crate::ids::AppId;
use crate::resolution::Resolution;
use crate::time::TimestampMs;

/// One write shard of an application: what one rollup is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppShard {
    /// The application.
    pub app: AppId,
    /// Its write shard, from 0.
    pub shard: u16,
}

/// The minutes of each write shard in which reports were stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirtyMinutes(BTreeMap<AppShard, BTreeSet<RollupSpan>>);

impl DirtyMinutes {
    /// Notes a report stamped `instant`.
    pub fn touch(&mut self, shard: AppShard, instant: TimestampMs) {
        self.0.entry(shard).or_default().insert(RollupSpan::containing(Resolution::Minute, instant));
    }

    /// The minutes of each write shard, ascending.
    pub fn into_minutes(self) -> impl Iterator<Item = (AppShard, BTreeSet<RollupSpan>)> {
        self.0.into_iter()
    }
}

/// The spans to compute anew at `now`, once `spans` are: those above the ones that have ended. A running span counts
/// into none above it, which saves most writes: an hour is written as often as its tens end, not once a minute.
pub fn due_coarser(spans: &BTreeSet<RollupSpan>, now: TimestampMs) -> BTreeSet<RollupSpan> {
    spans.iter().filter(|span| span.has_ended(now)).filter_map(|span| span.coarser()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_reports_of_a_minute_touch_it_once() {
        let shard = |shard| AppShard { app: AppId::new("shop").unwrap(), shard };
        let mut touched = DirtyMinutes::default();
        for ms in [119_999, 60_000, 60_001, 120_000, 60_000] {
            touched.touch(shard(0), TimestampMs::clamped(ms));
        }
        touched.touch(shard(1), TimestampMs::clamped(0));
        let minutes: Vec<_> = touched
            .into_minutes()
            .map(|(shard, minutes)| (shard.shard, minutes.iter().map(|span| span.start().ms()).collect()))
            .collect();
        assert_eq!(minutes, [(0, vec![60_000, 120_000]), (1, vec![0])]);
    }

    #[test]
    fn only_what_has_ended_is_told_upwards() {
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
