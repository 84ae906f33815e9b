//! Lambda authorizers of the HTTP API: the identity sources, then the cache of results, then the function.

use std::num::NonZeroUsize;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use lru::LruCache;
use serde_json::Value as Json;

use super::api::HttpApi;
use super::events::ApiRequest;
use super::response;
use crate::clock;
use crate::template::AuthorizerPlan;

/// API Gateway's limit for an authorizer of an HTTP API.
const AUTHORIZER_TIMEOUT: Duration = Duration::from_secs(10);

/// Authorises a request. Returns the authorizer's context, or the error response.
pub(crate) async fn authorize(api: &HttpApi, name: &str, request: &ApiRequest) -> Result<Json, Response> {
    let internal_error = || response::error(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    let plan = api.plan.authorizers.get(name).ok_or_else(internal_error)?;
    // A request without one of the identity sources is rejected without an invocation.
    let identity =
        identity(plan, request).ok_or_else(|| response::error(StatusCode::UNAUTHORIZED, "Unauthorized"))?;
    let key = CacheKey { authorizer: name.to_owned(), identity };
    let cached = api.authorizer_cache.lock().get(&key, clock::now_ms());
    let result = match cached {
        Some(result) => result,
        None => {
            let event = request.authorizer_event(&key.identity);
            let result = api.invoker.invoke(&plan.function, &event, AUTHORIZER_TIMEOUT).await;
            let result = result.map_err(|_| internal_error())?;
            let result: Json = serde_json::from_slice(&result).map_err(|_| internal_error())?;
            let ttl = plan.reauthorize_every;
            api.authorizer_cache.lock().insert(key, result.clone(), clock::now_ms(), ttl);
            result
        }
    };
    match result.get("isAuthorized").and_then(Json::as_bool) {
        Some(true) => Ok(result.get("context").cloned().unwrap_or_default()),
        Some(false) => Err(response::error(StatusCode::FORBIDDEN, "Forbidden")),
        None => Err(internal_error()),
    }
}

/// The values of the identity sources; `None` if one is missing or empty.
fn identity(plan: &AuthorizerPlan, request: &ApiRequest) -> Option<Vec<String>> {
    let values = plan.identity.iter().map(|name| request.headers.get(&name.to_ascii_lowercase()));
    values.map(|value| value.filter(|value| !value.is_empty()).cloned()).collect()
}

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
