//! The cache of authorizers' answers, keyed by authorizer and identity.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value as Json;

use crate::clock;

/// An authorizer and the values of its identity sources.
pub(crate) type CacheKey = (String, Vec<String>);

/// Answers with the time at which each ends.
#[derive(Debug, Default)]
pub(crate) struct AuthorizerCache {
    answers: HashMap<CacheKey, (i64, Json)>,
}

impl AuthorizerCache {
    /// The answer that still holds at `now_ms`.
    pub(crate) fn find(&self, key: &CacheKey, now_ms: i64) -> Option<Json> {
        let (until_ms, answer) = self.answers.get(key)?;
        (now_ms < *until_ms).then(|| answer.clone())
    }

    /// Keeps an answer for `hold`; zero keeps nothing.
    pub(crate) fn keep(&mut self, key: CacheKey, answer: Json, now_ms: i64, hold: Duration) {
        if hold.is_zero() {
            return;
        }
        self.answers.retain(|_, (until_ms, _)| now_ms < *until_ms);
        self.answers.insert(key, (now_ms + clock::millis(hold), answer));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_holds_for_its_time_and_its_identity() {
        let mut cache = AuthorizerCache::default();
        let key = |who: &str| ("Bearer".to_owned(), vec![who.to_owned()]);
        cache.keep(key("a"), json!(1), 1000, Duration::from_secs(60));
        assert_eq!(cache.find(&key("a"), 60_999), Some(json!(1)));
        assert_eq!(cache.find(&key("a"), 61_000), None);
        assert_eq!(cache.find(&key("b"), 1000), None);
        cache.keep(key("b"), json!(2), 61_000, Duration::from_secs(60));
        assert_eq!(cache.answers.len(), 1);
        cache.keep(key("c"), json!(3), 61_000, Duration::ZERO);
        assert_eq!(cache.find(&key("c"), 61_000), None);
    }
}
