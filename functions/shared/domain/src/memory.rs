//! What one function instance remembers of many, for as long as it lives, in bounded memory.
//!
//! Owns the bound, and what happens at it. Refuses to be the truth: whoever remembers here may find all forgotten.

use std::collections::HashMap;
use std::hash::Hash;

/// Most keys that one map remembers.
pub const MAX_REMEMBERED: usize = 10_000;

/// What `known` has of `key`, or else `fresh`. Where that would be one too many, all are forgotten before it.
pub fn entry<K: Eq + Hash, V>(known: &mut HashMap<K, V>, key: K, fresh: impl FnOnce() -> V) -> &mut V {
    if known.len() >= MAX_REMEMBERED && !known.contains_key(&key) {
        known.clear();
    }
    known.entry(key).or_insert_with(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_forgotten_for_one_too_many_and_none_for_one_that_is_known() {
        let mut known = HashMap::new();
        for key in 0..MAX_REMEMBERED {
            entry(&mut known, key, || 0);
        }
        *entry(&mut known, 7, || 0) += 1;
        assert_eq!((known.len(), known[&7]), (MAX_REMEMBERED, 1));
        entry(&mut known, MAX_REMEMBERED, || 0);
        assert_eq!(known.len(), 1);
    }
}
