//! The WebSocket API: its routes, from the SAM resource and from hand-written ones, and its authorizer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use yaml_serde::Value;

use super::document::{Resource, named};
use super::error::{PropertyError, PropertyPath, TemplateError};
use super::functions::{Function, by_arn, number};
use super::generated_ids::{Generated, WEBSOCKET_API, route_id};
use super::resolve::Resolver;

/// API Gateway's default and greatest integration timeout, in milliseconds.
const MAX_INTEGRATION_TIMEOUT_MS: u64 = 29_000;
/// The stage that the transform names when the template does not.
const DEFAULT_STAGE: &str = "default";

/// An `AWS::Serverless::WebSocketApi` with everything that belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct WebSocketPlan {
    pub(crate) api_id: String,
    pub(crate) stage: String,
    /// The path below the body that selects a route: `["type"]` for `$request.body.type`.
    pub(crate) selection: Vec<String>,
    pub(crate) routes: BTreeMap<String, WebSocketRoute>,
    /// The function that admits connections.
    pub(crate) authorizer: Option<String>,
}

/// A route of the WebSocket API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebSocketRoute {
    pub(crate) function: String,
    /// Whether the function's result is sent to the client.
    pub(crate) two_way: bool,
    pub(crate) timeout: Duration,
}

pub(crate) fn plan(
    resolver: &Resolver<'_>,
    functions: &BTreeMap<String, Function>,
) -> Result<Option<WebSocketPlan>, TemplateError> {
    let apis = resolver.resources(WEBSOCKET_API)?;
    let Some((api_id, resource)) = apis.first().copied() else { return Ok(None) };
    if let Some((second, _)) = apis.get(1) {
        return Err(PropertyPath::new(*second, "Type").wrong(PropertyError::SecondApi((*second).to_owned())));
    }
    let place = PropertyPath::new(api_id, "");
    let answered = answered_routes(resolver)?;
    let mut routes = own_routes(resolver, functions, api_id, resource, &answered)?;
    for (id, route) in resolver.resources("AWS::ApiGatewayV2::Route")? {
        if belongs_to(resolver, route, id, api_id)? {
            let (key, route) = hand_written(resolver, functions, id, route, &routes, &answered)?;
            if routes.insert(key.clone(), route).is_some() {
                return Err(PropertyPath::new(id, "RouteKey").wrong(PropertyError::DoubleRoute(key)));
            }
        }
    }
    let stage = match resource.properties.get("StageName") {
        Some(stage) => resolver.string(stage, &place.child("StageName"))?,
        None => DEFAULT_STAGE.to_owned(),
    };
    Ok(Some(WebSocketPlan {
        api_id: api_id.to_owned(),
        stage,
        selection: selection(resolver, resource, &place.child("RouteSelectionExpression"))?,
        routes,
        authorizer: authorizer(resolver, functions, resource, &place.child("Auth"))?,
    }))
}

/// The logical ids of the routes that have a route response.
fn answered_routes(resolver: &Resolver<'_>) -> Result<BTreeSet<String>, TemplateError> {
    let mut answered = BTreeSet::new();
    for (id, resource) in resolver.resources("AWS::ApiGatewayV2::RouteResponse")? {
        let place = PropertyPath::new(id, "RouteId");
        let route = resource.properties.get("RouteId").ok_or_else(|| place.wrong(PropertyError::Missing))?;
        answered.insert(resolver.string(route, &place)?);
    }
    Ok(answered)
}

fn own_routes(
    resolver: &Resolver<'_>,
    functions: &BTreeMap<String, Function>,
    api: &str,
    resource: &Resource,
    answered: &BTreeSet<String>,
) -> Result<BTreeMap<String, WebSocketRoute>, TemplateError> {
    let place = PropertyPath::new(api, "Routes");
    let declared = resource.properties.get("Routes").and_then(Value::as_mapping);
    let declared = declared.ok_or_else(|| place.wrong(PropertyError::Missing))?;
    let mut routes = BTreeMap::new();
    for (key, route) in named(declared) {
        let place = place.child(&key);
        let arn_place = place.child("FunctionArn");
        let arn = route.get("FunctionArn").ok_or_else(|| arn_place.wrong(PropertyError::Missing))?;
        let function = by_arn(functions, &resolver.string(arn, &arn_place)?, &arn_place)?;
        let two_way = has_selection(route) && answered.contains(&route_id(api, &key, "Route"));
        let timeout_ms = number(resolver, route, "IntegrationTimeout", MAX_INTEGRATION_TIMEOUT_MS, &place)?;
        routes.insert(key, WebSocketRoute { function, two_way, timeout: Duration::from_millis(timeout_ms) });
    }
    Ok(routes)
}

/// AWS sends a result only where the route has this attribute *and* a route response names the route.
fn has_selection(route: &Value) -> bool {
    route.get("RouteResponseSelectionExpression").is_some_and(|value| !value.is_null())
}

fn belongs_to(resolver: &Resolver<'_>, route: &Resource, id: &str, api: &str) -> Result<bool, TemplateError> {
    let place = PropertyPath::new(id, "ApiId");
    let named = route.properties.get("ApiId").ok_or_else(|| place.wrong(PropertyError::Missing))?;
    Ok(resolver.string(named, &place)? == api)
}

fn hand_written(
    resolver: &Resolver<'_>,
    functions: &BTreeMap<String, Function>,
    id: &str,
    resource: &Resource,
    routes: &BTreeMap<String, WebSocketRoute>,
    answered: &BTreeSet<String>,
) -> Result<(String, WebSocketRoute), TemplateError> {
    let place = PropertyPath::new(id, "RouteKey");
    let key = resource.properties.get("RouteKey").ok_or_else(|| place.wrong(PropertyError::Missing))?;
    let key = resolver.string(key, &place)?;
    let place = PropertyPath::new(id, "Target");
    let target = resource.properties.get("Target").ok_or_else(|| place.wrong(PropertyError::Missing))?;
    let target = resolver.string(target, &place)?;
    let no_integration = || place.wrong(PropertyError::NoSuchIntegration(target.clone()));
    let integration = target.strip_prefix("integrations/").ok_or_else(no_integration)?;
    let two_way = has_selection(&resource.properties) && answered.contains(id);
    if let Some(Generated::Integration { key: shared, .. }) = resolver.generated(integration) {
        let shared = routes.get(shared).ok_or_else(no_integration)?;
        return Ok((key, WebSocketRoute { two_way, ..shared.clone() }));
    }
    let integrations = resolver.resources("AWS::ApiGatewayV2::Integration")?;
    let (_, own) = integrations.iter().find(|(id, _)| *id == integration).ok_or_else(no_integration)?;
    let place = PropertyPath::new(integration, "IntegrationUri");
    let uri = own.properties.get("IntegrationUri").ok_or_else(|| place.wrong(PropertyError::Missing))?;
    let function = by_arn(functions, &resolver.string(uri, &place)?, &place)?;
    let timeout_ms =
        number(resolver, &own.properties, "TimeoutInMillis", MAX_INTEGRATION_TIMEOUT_MS, &place)?;
    Ok((key, WebSocketRoute { function, two_way, timeout: Duration::from_millis(timeout_ms) }))
}

fn selection(
    resolver: &Resolver<'_>,
    resource: &Resource,
    place: &PropertyPath,
) -> Result<Vec<String>, TemplateError> {
    let expression = resource
        .properties
        .get("RouteSelectionExpression")
        .ok_or_else(|| place.wrong(PropertyError::Missing))?;
    let expression = resolver.string(expression, place)?;
    let bare = expression.strip_prefix("${").and_then(|inner| inner.strip_suffix('}'));
    let bare = bare.or_else(|| expression.strip_prefix('$')).unwrap_or_default();
    let path = bare.strip_prefix("request.body.").unwrap_or_default();
    let parts: Vec<String> = path.split('.').map(str::to_owned).collect();
    let plain = |part: &String| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    if parts.iter().all(plain) {
        return Ok(parts);
    }
    Err(place.wrong(PropertyError::MustBe("of the form $request.body.<path>")))
}

fn authorizer(
    resolver: &Resolver<'_>,
    functions: &BTreeMap<String, Function>,
    resource: &Resource,
    place: &PropertyPath,
) -> Result<Option<String>, TemplateError> {
    let Some(auth) = resource.properties.get("Auth") else { return Ok(None) };
    let kind_place = place.child("AuthType");
    let kind = auth.get("AuthType").ok_or_else(|| kind_place.wrong(PropertyError::Missing))?;
    match resolver.string(kind, &kind_place)?.as_str() {
        "NONE" => return Ok(None),
        "CUSTOM" => {}
        _ => return Err(kind_place.wrong(PropertyError::Unsupported("any type but NONE and CUSTOM"))),
    }
    if auth.get("IdentitySource").and_then(Value::as_sequence).is_some_and(|list| !list.is_empty()) {
        return Err(place.child("IdentitySource").wrong(PropertyError::Unsupported("an identity source")));
    }
    let place = place.child("AuthArn");
    let arn = auth.get("AuthArn").ok_or_else(|| place.wrong(PropertyError::Missing))?;
    by_arn(functions, &resolver.string(arn, &place)?, &place).map(Some)
}
