//! Lambda authorizers of the HTTP API: identity first, then the cache, then the function.

use std::sync::PoisonError;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value as Json;

use super::events::Call;
use super::{Front, response};
use crate::clock;
use crate::policy::{self, AuthDecision};
use crate::template::{AuthorizerPlan, IdentitySource};

/// API Gateway's limit for an authorizer of an HTTP API.
const AUTHORIZER_PATIENCE: Duration = Duration::from_secs(10);

/// Asks the route's authorizer. Returns its context, or the response that refuses the call.
pub(crate) async fn authorize(front: &Front, name: &str, call: &Call) -> Result<Json, Response> {
    let internal = || response::error(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    let plan = front.plan.authorizers.get(name).ok_or_else(internal)?;
    let identity = identity(plan, call);
    // A caller who shows nothing to judge is refused without a call.
    let identity = identity.ok_or_else(|| response::error(StatusCode::UNAUTHORIZED, "Unauthorized"))?;
    let key = (name.to_owned(), identity.clone());
    let cached = front.cache.lock().unwrap_or_else(PoisonError::into_inner).find(&key, clock::now_ms());
    let answer = match cached {
        Some(answer) => answer,
        None => {
            let event = call.authorizer_event(&identity);
            let result = front.invoker.invoke(&plan.function, &event, AUTHORIZER_PATIENCE).await;
            let result = result.map_err(|_| internal())?;
            let answer: Json = serde_json::from_slice(&result).map_err(|_| internal())?;
            let mut cache = front.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.keep(key, answer.clone(), clock::now_ms(), plan.reauthorize_every);
            answer
        }
    };
    let verdict = match answer.get("isAuthorized").and_then(Json::as_bool).filter(|_| plan.simple) {
        Some(true) => AuthDecision::Allowed,
        Some(false) => AuthDecision::Denied,
        None if plan.simple => AuthDecision::Malformed,
        None => policy::verdict(&answer, &call.route_arn()),
    };
    match verdict {
        AuthDecision::Allowed => Ok(answer.get("context").cloned().unwrap_or_default()),
        AuthDecision::Denied => Err(response::error(StatusCode::FORBIDDEN, "Forbidden")),
        AuthDecision::Malformed => Err(internal()),
    }
}

/// The values of the identity sources; `None` where one is missing or empty.
fn identity(plan: &AuthorizerPlan, call: &Call) -> Option<Vec<String>> {
    let query = call.query_values();
    let values = plan.identity.iter().map(|source| match source {
        IdentitySource::Header(name) => call.headers.get(&name.to_ascii_lowercase()),
        IdentitySource::Query(name) => query.get(name),
    });
    values.map(|value| value.filter(|value| !value.is_empty()).cloned()).collect()
}
