//! The resources that SAM's transform adds to a template, as far as a template may refer to them.
//!
//! The transform builds logical ids from route keys with Python's `capitalize`, so two keys can become one id and
//! the last one silently wins: refused here, before anybody wonders where a route went.

use std::collections::BTreeMap;

use yaml_serde::Value;

use super::document::named;
use super::error::{PropertyError, PropertyPath, TemplateError};
use super::resolve::Resolver;

/// The type of a WebSocket API in a SAM template.
pub(crate) const WEBSOCKET_API: &str = "AWS::Serverless::WebSocketApi";

/// A resource that the transform adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Generated {
    /// The route of a key of an API.
    Route { api: String, key: String },
    /// The integration of a key of an API.
    Integration { api: String, key: String },
    /// Something that the gateway only has to know by name.
    Other,
}

/// The logical id of what the transform generates for a route key: `WsSendRoute` for `send` of `Ws`.
pub(crate) fn route_id(api: &str, key: &str, suffix: &str) -> String {
    format!("{api}{}{suffix}", capitalised(key.trim_start_matches('$')))
}

/// Python's `str.capitalize`: the first letter upper, the rest lower.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    first + &letters.as_str().to_lowercase()
}

/// Everything that the transform generates for this template's APIs, by logical id.
pub(crate) fn generated(resolver: &Resolver<'_>) -> Result<BTreeMap<String, Generated>, TemplateError> {
    let mut ids = BTreeMap::new();
    for (api, resource) in resolver.resources(WEBSOCKET_API)? {
        let mut keys: BTreeMap<String, String> = BTreeMap::new();
        let routes = resource.properties.get("Routes").and_then(Value::as_mapping);
        for (key, _) in routes.into_iter().flat_map(named) {
            let place = PropertyPath::new(api, "Routes");
            check_key(&key, &place)?;
            let id = route_id(api, &key, "Route");
            if let Some(first) = keys.insert(id.clone(), key.clone()) {
                return Err(place.wrong(PropertyError::Collision { first, second: key, id }));
            }
            let integration = Generated::Integration { api: api.into(), key: key.clone() };
            ids.insert(route_id(api, &key, "Integration"), integration);
            ids.insert(route_id(api, &key, "Permission"), Generated::Other);
            ids.insert(id, Generated::Route { api: api.into(), key });
        }
        let stage = resource.properties.get("StageName").and_then(Value::as_str).unwrap_or("Default");
        for other in [format!("{api}{stage}Stage"), format!("{api}ConnectAuthorizer")] {
            ids.insert(other, Generated::Other);
        }
    }
    for (function, _) in resolver.resources("AWS::Serverless::Function")? {
        ids.insert(format!("{function}Role"), Generated::Other);
    }
    ids.entry("ServerlessHttpApi".into()).or_insert(Generated::Other);
    Ok(ids)
}

fn check_key(key: &str, place: &PropertyPath) -> Result<(), TemplateError> {
    let special = matches!(key, "$connect" | "$disconnect" | "$default");
    if special || (!key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric())) {
        return Ok(());
    }
    Err(place.wrong(PropertyError::RouteKey(key.to_owned())))
}
