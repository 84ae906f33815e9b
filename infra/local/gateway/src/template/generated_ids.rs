//! The logical ids of routes and integrations that SAM's transform generates from the route keys of WebSocket APIs.
//!
//! The transform capitalises route keys with Python's `capitalize`, so two keys can get one id, and the last one
//! silently wins. That is an error here.

use std::collections::BTreeMap;

use yaml_serde::Value;

use super::document::{Document, named};
use super::path::PropertyPath;

/// The type of a WebSocket API in a SAM template.
pub(crate) const WEBSOCKET_API: &str = "AWS::Serverless::WebSocketApi";

/// What a generated id stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GeneratedId {
    Route,
    Integration { route_key: String },
}

/// The id for a route key: `WsSendRoute` for the suffix `Route` and the key `send` of `Ws`.
pub(crate) fn generated_id(api: &str, key: &str, suffix: &str) -> String {
    // Python's `str.capitalize`.
    let mut letters = key.trim_start_matches('$').chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{api}{first}{}{suffix}", letters.as_str().to_lowercase())
}

/// All generated ids of the template.
pub(crate) fn all(document: &Document) -> anyhow::Result<BTreeMap<String, GeneratedId>> {
    let mut ids = BTreeMap::new();
    for (api, resource) in document.resources.iter().filter(|(_, resource)| resource.kind == WEBSOCKET_API) {
        let path = PropertyPath::new(api, "Routes");
        let mut keys: BTreeMap<String, String> = BTreeMap::new();
        let routes = resource.properties.get("Routes").and_then(Value::as_mapping);
        for (key, _) in routes.into_iter().flat_map(named) {
            check_key(&key, &path)?;
            let id = generated_id(api, &key, "Route");
            if let Some(first) = keys.insert(id.clone(), key.clone()) {
                return Err(path.error(format!(
                    "route keys `{first}` and `{key}` both become the logical id {id}: AWS would keep only one"
                )));
            }
            ids.insert(id, GeneratedId::Route);
            let integration = generated_id(api, &key, "Integration");
            ids.insert(integration, GeneratedId::Integration { route_key: key });
        }
    }
    Ok(ids)
}

fn check_key(key: &str, path: &PropertyPath) -> anyhow::Result<()> {
    let is_special = matches!(key, "$connect" | "$disconnect" | "$default");
    if is_special || (!key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric())) {
        return Ok(());
    }
    Err(path.error(format!(
        "route key `{key}` must be alphanumeric: SAM rejects it (use an AWS::ApiGatewayV2::Route)"
    )))
}
