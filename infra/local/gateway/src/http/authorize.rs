//! Lambda authorizers of the HTTP API: the identity sources, then the cache of results, then the function.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value as Json;

use super::api::HttpApi;
use super::cache::CacheKey;
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
