//! The bounded map for what a function instance caches or counts per key: a full map evicts the least recently
//! used entry.
//!
//! `BoundedMap::default()` has room for [`MAX_ENTRIES`]; `get_or_insert_mut(key, || fresh)` finds or creates an entry.
//! It has all methods of [`lru::LruCache`]: those that mark an entry as used need `&mut`, `peek` does not.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};

use lru::LruCache;

/// Entries of a map that states no capacity of its own.
pub const MAX_ENTRIES: usize = 10_000;

/// A map of bounded size.
#[derive(Debug)]
pub struct BoundedMap<K: Hash + Eq, V>(LruCache<K, V>);

impl<K: Hash + Eq, V> BoundedMap<K, V> {
    /// An empty map for `capacity` entries, at least one. Memory is taken as entries come.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut entries = LruCache::unbounded();
        entries.resize(NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN));
        Self(entries)
    }
}

impl<K: Hash + Eq, V> Default for BoundedMap<K, V> {
    fn default() -> Self {
        Self::with_capacity(MAX_ENTRIES)
    }
}

impl<K: Hash + Eq, V> Deref for BoundedMap<K, V> {
    type Target = LruCache<K, V>;

    fn deref(&self) -> &LruCache<K, V> {
        &self.0
    }
}

impl<K: Hash + Eq, V> DerefMut for BoundedMap<K, V> {
    fn deref_mut(&mut self) -> &mut LruCache<K, V> {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_map_evicts_only_the_least_recently_used() {
        let mut map = BoundedMap::with_capacity(3);
        for key in ["a", "b", "c"] {
            map.get_or_insert_mut(key, || 0);
        }
        *map.get_or_insert_mut("a", || 0) += 1;
        map.get_or_insert_mut("d", || 0);
        assert_eq!(["a", "b", "c", "d"].map(|key| map.peek(key).copied()), [Some(1), None, Some(0), Some(0)]);
    }

    #[test]
    fn default_map_holds_ten_thousand_entries() {
        let mut map = BoundedMap::default();
        for key in 0..2 * MAX_ENTRIES {
            map.get_or_insert_mut(key, || ());
        }
        assert_eq!(map.len(), MAX_ENTRIES);
    }
}
