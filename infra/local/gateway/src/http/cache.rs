//! The cache of authorizer results, by authorizer and identity.

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use serde_json::Value as Json;

use crate::clock;

/// More identities than use one development machine.
const MAX_RESULTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// An authorizer and the values of its identity sources.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    pub(crate) authorizer: String,
    pub(crate) identity: Vec<String>,
}

#[derive(Debug)]
struct CachedResult {
    result: Json,
    expires_ms: i64,
}

#[derive(Debug)]
pub(crate) struct AuthorizerCache {
    results: LruCache<CacheKey, CachedResult>,
}

impl AuthorizerCache {
    pub(crate) fn new() -> Self {
        Self { results: LruCache::new(MAX_RESULTS) }
    }

    pub(crate) fn get(&mut self, key: &CacheKey, now_ms: i64) -> Option<Json> {
        let cached = self.results.get(key).filter(|cached| now_ms < cached.expires_ms)?;
        Some(cached.result.clone())
    }

    pub(crate) fn insert(&mut self, key: CacheKey, result: Json, now_ms: i64, ttl: Duration) {
        self.results.put(key, CachedResult { result, expires_ms: now_ms + clock::millis(ttl) });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_are_cached_by_identity_until_they_expire() {
        let mut cache = AuthorizerCache::new();
        let key = |token: &str| CacheKey { authorizer: "Bearer".into(), identity: vec![token.to_owned()] };
        cache.insert(key("a"), json!(1), 1000, Duration::from_secs(60));
        assert_eq!(cache.get(&key("a"), 60_999), Some(json!(1)));
        assert_eq!(cache.get(&key("a"), 61_000), None);
        assert_eq!(cache.get(&key("b"), 1000), None);
        cache.insert(key("c"), json!(3), 61_000, Duration::ZERO);
        assert_eq!(cache.get(&key("c"), 61_000), None);
    }
}
