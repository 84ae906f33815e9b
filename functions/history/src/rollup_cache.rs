//! Caches rollups that no report can change any more: cached answers contain every report. Only the repair of a corrupt
//! or missing rollup changes one; it appears within [`CACHE_TTL_MS`] (docs/SEMANTICS.md, "Answers").

use std::collections::BTreeMap;

use lru::LruCache;
use nsl_aws::rollups::StoredRollup;
use nsl_domain::ids::UserId;
use nsl_domain::report::MAX_LATENESS_MS;
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::AppShard;
use nsl_domain::time::{HOUR_MS, MINUTE_MS, TimestampMs};
use nsl_domain::time_span::TimeSpan;
use parking_lot::Mutex;

/// Longest time that a report waits in the stream: `MaximumRecordAgeInSeconds` of the template.
const MAX_STREAM_AGE_MS: i64 = 20 * HOUR_MS;

/// Time for retries of the rollup function, eventually consistent reads, and clock differences.
const MARGIN_MS: i64 = HOUR_MS;

/// How long cached rollups are used.
pub(crate) const CACHE_TTL_MS: i64 = 10 * MINUTE_MS;

/// Most bytes in the cache: more than a hundred weeks of the library's series, an eighth of the smallest function's
/// default memory.
const MAX_BYTES: usize = 32 * 1_024 * 1_024;

/// Bytes of a cached rollup besides its encoding: map entry, version, vector headers.
const OVERHEAD_BYTES: usize = 256;

/// The rollups of one shard and resolution. The owner and the instant of creation are part of the key, because an
/// application may be deleted and another one created with its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    pub(crate) owner: UserId,
    pub(crate) created_at: Option<TimestampMs>,
    pub(crate) shard: AppShard,
    pub(crate) resolution: Resolution,
}

/// Every stored rollup that starts in `starts`: one that is absent here is not stored.
#[derive(Debug)]
struct CachedRange {
    starts: TimeSpan,
    /// When the first part of it was read.
    read_at: TimestampMs,
    rollups: BTreeMap<TimestampMs, StoredRollup>,
}

impl CachedRange {
    fn bytes(&self) -> usize {
        OVERHEAD_BYTES
            + self.rollups.values().map(|stored| stored.bytes.len() + OVERHEAD_BYTES).sum::<usize>()
    }
}

/// The cached start of a span.
#[derive(Debug)]
pub(crate) struct Cached {
    pub(crate) rollups: Vec<StoredRollup>,
    /// Where the rest of the span begins.
    pub(crate) to: TimestampMs,
}

/// The least recently used ranges are evicted.
#[derive(Debug)]
pub(crate) struct RollupCache(Mutex<LruCache<CacheKey, CachedRange>>);

impl Default for RollupCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::unbounded()))
    }
}

/// The end of the spans that no report can change any more at `now`: none can be accepted or wait in the stream.
pub(crate) fn immutable_before(now: TimestampMs) -> TimestampMs {
    now.plus_ms(-MAX_LATENESS_MS - MAX_STREAM_AGE_MS - MARGIN_MS)
}

impl RollupCache {
    /// The rollups that start in `starts`, as far as they are cached without a gap. Those that expired at `now` are
    /// left out.
    pub(crate) fn get(&self, key: &CacheKey, starts: TimeSpan, now: TimestampMs) -> Cached {
        let mut ranges = self.0.lock();
        let missing = Cached { rollups: Vec::new(), to: starts.from };
        let Some(range) = ranges.get(key).filter(|range| range.starts.contains(starts.from)) else {
            return missing;
        };
        if !(0..=CACHE_TTL_MS).contains(&now.ms_since(range.read_at)) {
            ranges.pop(key);
            return missing;
        }
        let to = range.starts.to.min(starts.to);
        let cached = range.rollups.range(starts.from..to).map(|(_, stored)| stored);
        Cached { rollups: cached.filter(|stored| stored.expires_at > now).cloned().collect(), to }
    }

    /// Caches what was read at `now` of the rollups that start in `starts`, except those that can still change. It
    /// extends the cached range if it continues it, and replaces it otherwise.
    pub(crate) fn insert(&self, key: CacheKey, starts: TimeSpan, read: &[StoredRollup], now: TimestampMs) {
        let to = starts.to.min(immutable_before(now).aligned_to(key.resolution.ms()));
        if starts.from >= to {
            return;
        }
        let mut ranges = self.0.lock();
        let starts = TimeSpan::new(starts.from, to);
        let mut range = CachedRange { starts, read_at: now, rollups: BTreeMap::new() };
        if let Some(before) = ranges.pop(&key)
            && (before.starts.from..=before.starts.to).contains(&starts.from)
        {
            range = before;
            range.starts.to = range.starts.to.max(to);
        }
        let immutable = read.iter().filter(|stored| stored.span.start() < to);
        range.rollups.extend(immutable.map(|stored| (stored.span.start(), stored.clone())));
        ranges.push(key, range);
        let mut bytes: usize = ranges.iter().map(|(_, range)| range.bytes()).sum();
        while bytes > MAX_BYTES
            && let Some((_, evicted)) = ranges.pop_lru()
        {
            bytes -= evicted.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::ids::AppId;
    use nsl_domain::rollup::{Rollup, RollupSpan};

    fn now() -> TimestampMs {
        TimestampMs::EXAMPLE
    }

    fn key(owner: &str, shard: u16) -> CacheKey {
        let shard = AppShard { app: AppId::new("shop").unwrap(), shard };
        CacheKey { owner: UserId::new(owner).unwrap(), created_at: None, shard, resolution: Resolution::Hour }
    }

    fn hours_ago(hours: i64) -> TimestampMs {
        now().aligned_to(HOUR_MS).plus_ms(-hours * HOUR_MS)
    }

    fn hours(from: i64, to: i64) -> TimeSpan {
        TimeSpan::new(hours_ago(from), hours_ago(to))
    }

    /// The rollups of these hours ago, of `bytes` each.
    fn stored(from: i64, to: i64, bytes: usize) -> Vec<StoredRollup> {
        let span = |hours| RollupSpan::containing(Resolution::Hour, hours_ago(hours));
        let stored =
            |hours| StoredRollup::stored(&Rollup::empty(span(hours)), vec![0; bytes], now().plus_ms(HOUR_MS));
        (to..from).rev().map(|hours| stored(hours + 1)).collect()
    }

    /// How many rollups are cached of these hours ago, and how many hours ago the rest begins.
    fn cached(cache: &RollupCache, key: CacheKey, from: i64, to: i64) -> (usize, i64) {
        let cached = cache.get(&key, hours(from, to), now());
        (cached.rollups.len(), hours_ago(0).ms_since(cached.to) / HOUR_MS)
    }

    #[test]
    fn only_spans_that_cannot_change_are_cached() {
        let cache = RollupCache::default();
        cache.insert(key("ann", 0), hours(168, 0), &stored(168, 0, 9), now());
        // Two days for a late report, twenty hours in the stream, an hour of margin, and the running hour.
        assert_eq!(cached(&cache, key("ann", 0), 167, 0), (167 - 69, 69));
        assert_eq!(cached(&cache, key("ann", 0), 100, 90), (10, 90));
        let of_later_app = CacheKey { created_at: Some(now()), ..key("ann", 0) };
        for other in [key("bob", 0), key("ann", 1), of_later_app] {
            assert_eq!(cached(&cache, other, 167, 0), (0, 167));
        }
        assert_eq!(cached(&cache, key("ann", 0), 169, 0), (0, 169), "begins before the cached range");
    }

    #[test]
    fn adjacent_range_extends_and_distant_range_replaces() {
        let cache = RollupCache::default();
        cache.insert(key("ann", 0), hours(168, 100), &stored(168, 100, 9), now());
        cache.insert(key("ann", 0), hours(100, 90), &stored(100, 90, 9), now());
        assert_eq!(cached(&cache, key("ann", 0), 168, 0), (78, 90));
        cache.insert(key("ann", 0), hours(80, 75), &stored(80, 75, 9), now());
        assert_eq!(cached(&cache, key("ann", 0), 168, 0), (0, 168), "a gap is not cached as empty");
        assert_eq!(cached(&cache, key("ann", 0), 80, 0), (5, 75));
    }

    #[test]
    fn cached_rollups_are_used_for_ten_minutes_and_until_they_expire() {
        let cache = RollupCache::default();
        cache.insert(key("ann", 0), hours(168, 0), &stored(168, 0, 9), now());
        let at = |ms| cache.get(&key("ann", 0), hours(168, 100), now().plus_ms(ms)).rollups.len();
        assert_eq!((at(CACHE_TTL_MS), at(CACHE_TTL_MS + 1)), (68, 0));
        let mut expired = stored(168, 0, 9);
        expired.iter_mut().take(8).for_each(|stored| stored.expires_at = now());
        cache.insert(key("ann", 0), hours(168, 0), &expired, now());
        assert_eq!(at(0), 60);
    }

    #[test]
    fn least_recently_used_ranges_are_evicted() {
        let cache = RollupCache::default();
        for shard in 0..64 {
            cache.insert(key("ann", shard), hours(170, 70), &stored(170, 70, 10_000), now());
            cached(&cache, key("ann", 0), 170, 70);
            let bytes: usize = cache.0.lock().iter().map(|(_, range)| range.bytes()).sum();
            assert!(bytes <= MAX_BYTES);
        }
        let count = |shard| cached(&cache, key("ann", shard), 170, 70).0;
        assert_eq!((count(0), count(1), count(63)), (100, 0, 100));
        cache.insert(key("ann", 0), hours(170, 70), &stored(170, 70, MAX_BYTES / 50), now());
        assert_eq!(count(0), 0, "a range that is too large alone is not cached");
    }
}
