//! Answers remembered for a while in one function instance.
//!
//! Owns age and size. Refuses to remember a refusal: callers keep only what opened something.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nsl_domain::time::TimestampMs;

/// Longest time for which an app's record or a grant is believed, so that taking it back works within a minute.
pub const CACHE_TTL_MS: i64 = 60_000;

/// Most entries of one cache; a full one forgets what is stale, and everything where nothing is.
const MAX_ENTRIES: usize = 4_096;

/// Values by key, each believed for [`CACHE_TTL_MS`].
#[derive(Debug)]
pub struct Cache<K, V> {
    entries: Mutex<HashMap<K, (TimestampMs, V)>>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// The value of `key`, if it was kept at most [`CACHE_TTL_MS`] before `now`.
    pub fn get(&self, key: &K, now: TimestampMs) -> Option<V> {
        self.entries().get(key).filter(|(kept, _)| is_fresh(*kept, now)).map(|(_, value)| value.clone())
    }

    /// Keeps `value` as what was true at `now`.
    pub fn insert(&self, key: K, value: V, now: TimestampMs) {
        let mut entries = self.entries();
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, (kept, _)| is_fresh(*kept, now));
        }
        if entries.len() >= MAX_ENTRIES {
            entries.clear();
        }
        entries.insert(key, (now, value));
    }

    /// A panic elsewhere cannot leave a map of whole values half written, so a poisoned lock is as good as any.
    fn entries(&self) -> MutexGuard<'_, HashMap<K, (TimestampMs, V)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fresh(kept: TimestampMs, now: TimestampMs) -> bool {
    (0..=CACHE_TTL_MS).contains(&now.ms_since(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_believed_for_a_minute() {
        let kept = TimestampMs::clamped(1_000_000);
        let cache = Cache::default();
        cache.insert("a", 1, kept);
        assert_eq!(cache.get(&"a", kept.plus_ms(CACHE_TTL_MS)), Some(1));
        assert_eq!(cache.get(&"a", kept.plus_ms(CACHE_TTL_MS + 1)), None);
        assert_eq!(cache.get(&"a", kept.plus_ms(-1)), None);
    }

    #[test]
    fn a_full_cache_stays_bounded() {
        let cache = Cache::default();
        for key in 0..3 * MAX_ENTRIES {
            cache.insert(key, key, TimestampMs::clamped(0));
            assert!(cache.entries().len() <= MAX_ENTRIES);
        }
    }
}
