//! Rollups that nothing will change any more, kept in the memory of one function instance.
//!
//! Owns when a span is closed, how long what was read of it is believed, and how many bytes are kept. A span is closed
//! once no report of it can be accepted and none can wait in the stream: then only a repair writes it, and what a
//! repair writes is what was there, unless it was damaged or lost. So an answer out of this memory differs from the
//! table by nothing that was reported, and by a repair for ten minutes at most. Ruled by docs/SEMANTICS.md.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nsl_aws::rollups::StoredRollup;
use nsl_domain::ids::UserId;
use nsl_domain::report::MAX_LATENESS_MS;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::AppShard;
use nsl_domain::time::{HOUR_MS, MINUTE_MS, TimestampMs};
use nsl_domain::time_span::TimeSpan;

/// Longest that a report waits in the stream: `MaximumRecordAgeInSeconds` of the template.
const IN_STREAM_MS: i64 = 20 * HOUR_MS;

/// Time for the function's retries, for a table to show what was written, and for clocks to differ.
const MARGIN_MS: i64 = HOUR_MS;

/// How long what was read is believed: so long may a repair go unnoticed.
pub(crate) const CACHE_TTL_MS: i64 = 10 * MINUTE_MS;

/// Most bytes that are kept: a hundred and more weeks of the library's series, an eighth of the smallest function's
/// default memory.
const MAX_KEPT_BYTES: usize = 32 * 1_024 * 1_024;

/// What a kept rollup takes besides its encoded bytes: its place in the map, its version, its two vectors' heads.
const OVERHEAD_BYTES: usize = 256;

/// CacheKey rollups of which width. The owner is named, for an application may be deleted and another of its id made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    pub(crate) owner: UserId,
    pub(crate) shard: AppShard,
    pub(crate) resolution: Resolution,
}

/// All that is stored of the spans that start in `[from, to)`: what is not here is not stored.
#[derive(Debug)]
struct CachedRange {
    from: TimestampMs,
    to: TimestampMs,
    /// When the first part of it was read.
    read_at: TimestampMs,
    rollups: BTreeMap<TimestampMs, StoredRollup>,
    /// Counts up with each use of any stretch.
    used: u64,
}

impl CachedRange {
    fn bytes(&self) -> usize {
        self.rollups.values().map(bytes_of).sum::<usize>() + OVERHEAD_BYTES
    }

    fn holds(&self, instant: TimestampMs) -> bool {
        self.from <= instant && instant < self.to
    }
}

fn bytes_of(held: &StoredRollup) -> usize {
    held.bytes.len() + OVERHEAD_BYTES
}

/// The memory.
#[derive(Debug, Default)]
pub(crate) struct RollupCache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    stretches: HashMap<CacheKey, CachedRange>,
    uses: u64,
}

/// The instant up to which spans are closed at `now`.
pub(crate) fn closed_to(now: TimestampMs) -> TimestampMs {
    now.plus_ms(-MAX_LATENESS_MS - IN_STREAM_MS - MARGIN_MS)
}

impl RollupCache {
    /// The rollups whose spans start in `[from, to)`, as far as they are known from `from` on, and the instant from
    /// which on they are not. What is past its age at `now` is left out.
    pub(crate) fn known(
        &self,
        whose: &CacheKey,
        TimeSpan { from, to }: TimeSpan,
        now: TimestampMs,
    ) -> (Vec<StoredRollup>, TimestampMs) {
        let mut kept = self.kept();
        kept.uses += 1;
        let uses = kept.uses;
        let Some(stretch) = kept.stretches.get_mut(whose).filter(|stretch| stretch.holds(from)) else {
            return (Vec::new(), from);
        };
        if !(0..=CACHE_TTL_MS).contains(&now.ms_since(stretch.read_at)) {
            kept.stretches.remove(whose);
            return (Vec::new(), from);
        }
        stretch.used = uses;
        let end = stretch.to.min(to);
        let shown = stretch.rollups.range(from..end).map(|(_, held)| held);
        (shown.filter(|held| held.expires_at > now).cloned().collect(), end)
    }

    /// Keeps what was read at `now` of the spans that start in `[from, to)`, as far as they are closed.
    pub(crate) fn keep(
        &self,
        whose: &CacheKey,
        TimeSpan { from, to }: TimeSpan,
        read: &[StoredRollup],
        now: TimestampMs,
    ) {
        let width_ms = whose.resolution.ms();
        let to = to.min(closed_to(now).aligned_to(width_ms));
        if from >= to {
            return;
        }
        let mut kept = self.kept();
        kept.uses += 1;
        let mut stretch = CachedRange { from, to, read_at: now, rollups: BTreeMap::new(), used: kept.uses };
        if let Some(before) = kept.stretches.remove(whose)
            && (before.from..=before.to).contains(&from)
        {
            stretch = CachedRange { to: to.max(before.to), used: kept.uses, ..before };
        }
        let closed = read.iter().filter(|held| held.span.start() < to);
        stretch.rollups.extend(closed.map(|held| (held.span.start(), held.clone())));
        kept.stretches.insert(whose.clone(), stretch);
        kept.make_room();
    }

    /// A panic elsewhere cannot leave whole stretches half written, so a poisoned lock is as good as any.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Forgets what was used longest ago until the rest fits.
    fn make_room(&mut self) {
        let mut bytes: usize = self.stretches.values().map(CachedRange::bytes).sum();
        while bytes > MAX_KEPT_BYTES {
            let oldest = self.stretches.iter().min_by_key(|(_, stretch)| stretch.used);
            let Some((whose, size)) = oldest.map(|(whose, stretch)| (whose.clone(), stretch.bytes())) else {
                return;
            };
            self.stretches.remove(&whose);
            bytes -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::ids::AppId;
    use nsl_domain::rollup::{Rollup, RollupSpan};

    fn now() -> TimestampMs {
        TimestampMs::clamped(1_795_352_461_387)
    }

    fn whose(owner: &str, shard: u16) -> CacheKey {
        let shard = AppShard { app: AppId::new("shop").unwrap(), shard };
        CacheKey { owner: UserId::new(owner).unwrap(), shard, resolution: Resolution::Hour }
    }

    fn hours_ago(hours: i64) -> TimestampMs {
        now().aligned_to(HOUR_MS).plus_ms(-hours * HOUR_MS)
    }

    /// The rollups of the hours from so long ago to so long ago, of `bytes` each.
    fn hours(from: i64, to: i64, bytes: usize) -> Vec<StoredRollup> {
        let span = |hours| RollupSpan::containing(Resolution::Hour, hours_ago(hours));
        let held =
            |hours| StoredRollup::stored(&Rollup::empty(span(hours)), vec![0; bytes], now().plus_ms(HOUR_MS));
        (to..from).rev().map(|hours| held(hours + 1)).collect()
    }

    fn span(from: i64, to: i64) -> TimeSpan {
        TimeSpan::new(hours_ago(from), hours_ago(to))
    }

    #[test]
    fn what_is_closed_is_known_up_to_where_it_is_not() {
        let closed = RollupCache::default();
        closed.keep(&whose("ann", 0), span(168, 0), &hours(168, 0, 9), now());
        let (known, rest) = closed.known(&whose("ann", 0), span(167, 0), now());
        // Two days for a late report, twenty hours in the stream, an hour of margin, and what has begun.
        assert_eq!((known.len(), rest), (167 - 69, hours_ago(69)));
        let (known, rest) = closed.known(&whose("ann", 0), span(100, 90), now());
        assert_eq!((known.len(), rest), (10, hours_ago(90)));
        for other in [whose("bob", 0), whose("ann", 1)] {
            assert_eq!(closed.known(&other, span(167, 0), now()).1, hours_ago(167));
        }
        assert_eq!(
            closed.known(&whose("ann", 0), span(169, 0), now()).1,
            hours_ago(169),
            "nothing before it"
        );
    }

    #[test]
    fn what_comes_next_is_added_and_what_lies_apart_takes_its_place() {
        let closed = RollupCache::default();
        let known = |from| closed.known(&whose("ann", 0), span(from, 0), now());
        closed.keep(&whose("ann", 0), span(168, 100), &hours(168, 100, 9), now());
        closed.keep(&whose("ann", 0), span(100, 90), &hours(100, 90, 9), now());
        assert_eq!((known(168).0.len(), known(168).1), (78, hours_ago(90)));
        closed.keep(&whose("ann", 0), span(80, 75), &hours(80, 75, 9), now());
        assert_eq!(known(168).1, hours_ago(168), "a gap is not known to be empty");
        assert_eq!((known(80).0.len(), known(80).1), (5, hours_ago(75)));
    }

    #[test]
    fn what_is_known_is_believed_for_ten_minutes_and_never_past_its_age() {
        let closed = RollupCache::default();
        closed.keep(&whose("ann", 0), span(168, 0), &hours(168, 0, 9), now());
        let at = |ms| closed.known(&whose("ann", 0), span(168, 100), now().plus_ms(ms)).0.len();
        assert_eq!(at(CACHE_TTL_MS), 68);
        assert_eq!(at(CACHE_TTL_MS + 1), 0);
        let mut aged = hours(168, 0, 9);
        aged.iter_mut().take(8).for_each(|held| held.expires_at = now());
        closed.keep(&whose("ann", 0), span(168, 0), &aged, now());
        assert_eq!(at(0), 60);
    }

    #[test]
    fn the_memory_is_bounded_and_what_is_used_stays() {
        let closed = RollupCache::default();
        for shard in 0..64 {
            closed.keep(&whose("ann", shard), span(170, 70), &hours(170, 70, 10_000), now());
            closed.known(&whose("ann", 0), span(170, 70), now());
            let bytes: usize = closed.kept().stretches.values().map(CachedRange::bytes).sum();
            assert!(bytes <= MAX_KEPT_BYTES);
        }
        let known = |shard| closed.known(&whose("ann", shard), span(170, 70), now()).0.len();
        assert_eq!((known(0), known(1), known(63)), (100, 0, 100));
        closed.keep(&whose("ann", 0), span(170, 70), &hours(170, 70, MAX_KEPT_BYTES / 50), now());
        assert_eq!(known(0), 0, "what alone is too large is not kept");
    }
}
