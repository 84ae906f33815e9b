//! Values cached in one function instance: bounded, least recently used evicted first.

use std::hash::Hash;

use nsl_domain::bounded::BoundedMap;
use nsl_domain::time::TimestampMs;
use parking_lot::Mutex;

/// How long an app or a grant is used without reading it again, so that revoking it works within a minute.
pub const CACHE_TTL_MS: i64 = 60_000;

/// Most entries of one cache.
const MAX_ENTRIES: usize = 4_096;

/// Values by key, each used for [`CACHE_TTL_MS`].
#[derive(Debug)]
pub struct Cache<K: Eq + Hash, V> {
    entries: Mutex<BoundedMap<K, Entry<V>>>,
}

#[derive(Debug)]
struct Entry<V> {
    inserted_at: TimestampMs,
    value: V,
}

impl<K: Eq + Hash, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { entries: Mutex::new(BoundedMap::with_capacity(MAX_ENTRIES)) }
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// The value of `key`, if it was inserted at most [`CACHE_TTL_MS`] before `now`.
    pub fn get(&self, key: &K, now: TimestampMs) -> Option<V> {
        let mut entries = self.entries.lock();
        let entry = entries.get(key)?;
        (0..=CACHE_TTL_MS).contains(&now.ms_since(entry.inserted_at)).then(|| entry.value.clone())
    }

    /// Caches `value` as read at `now`.
    pub fn insert(&self, key: K, value: V, now: TimestampMs) {
        self.entries.lock().put(key, Entry { inserted_at: now, value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_cached_for_a_minute() {
        let inserted_at = TimestampMs::clamped(1_000_000);
        let cache = Cache::default();
        cache.insert("a", 1, inserted_at);
        assert_eq!(cache.get(&"a", inserted_at.plus_ms(CACHE_TTL_MS)), Some(1));
        assert_eq!(cache.get(&"a", inserted_at.plus_ms(CACHE_TTL_MS + 1)), None);
        assert_eq!(cache.get(&"a", inserted_at.plus_ms(-1)), None);
    }

    #[test]
    fn full_cache_evicts_least_recently_used() {
        let now = TimestampMs::clamped(0);
        let cache = Cache::default();
        for key in 0..MAX_ENTRIES {
            cache.insert(key, key, now);
        }
        assert_eq!(cache.get(&0, now), Some(0));
        cache.insert(MAX_ENTRIES, 0, now);
        assert_eq!(cache.entries.lock().len(), MAX_ENTRIES);
        assert_eq!([cache.get(&0, now), cache.get(&1, now)], [Some(0), None]);
    }
}
