//! The WebSocket API: its routes, from the SAM resource and from `AWS::ApiGatewayV2::Route`, and its authorizer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::functions::{Function, referenced_function};
use super::generated_ids::{GeneratedId, WEBSOCKET_API, generated_id};
use super::property::{ActiveResource, Property, only_resource, resources};
use super::resolve::Resolver;

/// API Gateway's default and greatest integration timeout.
const MAX_INTEGRATION_TIMEOUT_MS: u64 = 29_000;
/// The transform's default name of the stage.
const DEFAULT_STAGE: &str = "default";

/// An `AWS::Serverless::WebSocketApi` with its routes.
#[derive(Clone, Debug)]
pub(crate) struct WebSocketPlan {
    pub(crate) api_id: String,
    pub(crate) stage: String,
    /// The path in a frame's body that selects a route: `["type"]` for `$request.body.type`.
    pub(crate) selection: Vec<String>,
    pub(crate) routes: BTreeMap<String, WebSocketRoute>,
    /// The authorizer's function.
    pub(crate) authorizer: Option<String>,
}

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
) -> anyhow::Result<Option<WebSocketPlan>> {
    let Some(api) = only_resource(resolver, WEBSOCKET_API)? else { return Ok(None) };
    let with_response = routes_with_response(resolver)?;
    let mut routes = declared_routes(functions, &api, &with_response)?;
    for resource in resources(resolver, "AWS::ApiGatewayV2::Route")? {
        if resource.properties.required_text("ApiId")? != api.id {
            continue;
        }
        let key = resource.properties.required("RouteKey")?;
        let route = WebSocketRoute {
            two_way: is_two_way(&resource.properties, resource.id, &with_response),
            ..shared_integration(&resource.properties.required("Target")?, &routes)?
        };
        let key_text = key.text()?;
        if routes.insert(key_text.clone(), route).is_some() {
            return Err(key.error(format!("route key `{key_text}` is declared twice")));
        }
    }
    Ok(Some(WebSocketPlan {
        api_id: api.id.to_owned(),
        stage: api.properties.optional_text("StageName")?.unwrap_or_else(|| DEFAULT_STAGE.to_owned()),
        selection: selection(&api.properties.required("RouteSelectionExpression")?)?,
        routes,
        authorizer: authorizer(functions, &api.properties)?,
    }))
}

/// The logical ids of the routes that have a route response.
fn routes_with_response(resolver: &Resolver<'_>) -> anyhow::Result<BTreeSet<String>> {
    let responses = resources(resolver, "AWS::ApiGatewayV2::RouteResponse")?;
    responses.iter().map(|response| response.properties.required_text("RouteId")).collect()
}

/// AWS sends a result only if the route has this attribute and a route response refers to the route.
fn is_two_way(route: &Property<'_>, id: &str, with_response: &BTreeSet<String>) -> bool {
    let has_expression =
        route.get("RouteResponseSelectionExpression").is_some_and(|expression| !expression.value.is_null());
    has_expression && with_response.contains(id)
}

fn declared_routes(
    functions: &BTreeMap<String, Function>,
    api: &ActiveResource<'_>,
    with_response: &BTreeSet<String>,
) -> anyhow::Result<BTreeMap<String, WebSocketRoute>> {
    let mut routes = BTreeMap::new();
    for (key, property) in api.properties.required("Routes")?.entries() {
        let function = referenced_function(functions, &property.required("FunctionArn")?)?;
        let two_way = is_two_way(&property, &generated_id(api.id, &key, "Route"), with_response);
        let timeout_ms = property.number("IntegrationTimeout", MAX_INTEGRATION_TIMEOUT_MS)?;
        routes.insert(key, WebSocketRoute { function, two_way, timeout: Duration::from_millis(timeout_ms) });
    }
    Ok(routes)
}

/// The declared route whose generated integration is the target of another route.
fn shared_integration(
    target: &Property<'_>,
    routes: &BTreeMap<String, WebSocketRoute>,
) -> anyhow::Result<WebSocketRoute> {
    let text = target.text()?;
    let integration = text.strip_prefix("integrations/").and_then(|id| target.resolver.generated(id));
    let route = match integration {
        Some(GeneratedId::Integration { route_key }) => routes.get(route_key).cloned(),
        Some(GeneratedId::Route) | None => None,
    };
    route.ok_or_else(|| target.error(format!("`{text}` is not the integration of a route of this API")))
}

fn selection(expression: &Property<'_>) -> anyhow::Result<Vec<String>> {
    let text = expression.text()?;
    let path = text.strip_prefix("$request.body.").unwrap_or_default();
    let parts: Vec<String> = path.split('.').map(str::to_owned).collect();
    let is_plain = |part: &String| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    if parts.iter().all(is_plain) {
        return Ok(parts);
    }
    Err(expression.error("must be of the form $request.body.<path>"))
}

fn authorizer(functions: &BTreeMap<String, Function>, api: &Property<'_>) -> anyhow::Result<Option<String>> {
    let Some(auth) = api.get("Auth") else { return Ok(None) };
    let kind = auth.required("AuthType")?;
    match kind.text()?.as_str() {
        "NONE" => return Ok(None),
        "CUSTOM" => {}
        _ => return Err(kind.error("any type but NONE and CUSTOM is not supported by the gateway")),
    }
    if let Some(source) = auth.get("IdentitySource") {
        return Err(source.error("an identity source is not supported by the gateway"));
    }
    referenced_function(functions, &auth.required("AuthArn")?).map(Some)
}
