//! The HTTP API: routes from the `HttpApi` events of functions, CORS, Lambda authorizers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value as Json;
use yaml_serde::Value;

use super::document::named;
use super::error::{PropertyError, PropertyPath, TemplateError};
use super::functions::{Function, by_arn, number};
use super::resolve::{Resolver, text_of};

/// The API that the transform adds for events that name none.
const IMPLICIT_API: &str = "ServerlessHttpApi";
/// The route key of what no other route takes.
const DEFAULT_ROUTE: &str = "$default";

/// An `AWS::Serverless::HttpApi` with everything that belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct HttpPlan {
    pub(crate) api_id: String,
    pub(crate) routes: Vec<HttpRoute>,
    pub(crate) cors: Option<CorsPlan>,
    pub(crate) authorizers: BTreeMap<String, AuthorizerPlan>,
}

/// A route of the HTTP API.
#[derive(Clone, Debug)]
pub(crate) struct HttpRoute {
    /// `GET /apps/{appId}`, or `$default`.
    pub(crate) key: String,
    /// Absent where every method is meant.
    pub(crate) method: Option<String>,
    /// Absent for `$default`.
    pub(crate) path: Option<Vec<Segment>>,
    pub(crate) function: String,
    pub(crate) authorizer: Option<String>,
}

/// A part of a route's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(String),
    Parameter(String),
    /// `{name+}`: the rest of the path.
    Greedy(String),
}

/// `CorsConfiguration`.
#[derive(Clone, Debug, Default)]
pub(crate) struct CorsPlan {
    pub(crate) origins: Vec<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) expose: Vec<String>,
    pub(crate) credentials: bool,
    pub(crate) max_age_s: Option<u64>,
}

/// A Lambda authorizer with payload format 2.0.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizerPlan {
    pub(crate) function: String,
    pub(crate) identity: Vec<IdentitySource>,
    /// How long an answer holds; zero means that every request asks.
    pub(crate) reauthorize_every: Duration,
    /// Whether it answers `{isAuthorized}`, else an IAM policy.
    pub(crate) simple: bool,
}

/// Where an authorizer finds whom to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdentitySource {
    Header(String),
    Query(String),
}

pub(crate) fn plan(
    resolver: &Resolver<'_>,
    functions: &BTreeMap<String, Function>,
) -> Result<Option<HttpPlan>, TemplateError> {
    let apis = resolver.resources("AWS::Serverless::HttpApi")?;
    if let Some((second, _)) = apis.get(1) {
        return Err(PropertyPath::new(*second, "Type").wrong(PropertyError::SecondApi((*second).to_owned())));
    }
    let (api_id, properties) = match apis.first() {
        Some((id, resource)) => (*id, &resource.properties),
        None => (IMPLICIT_API, &Value::Null),
    };
    let place = PropertyPath::new(api_id, "");
    let authorizers = authorizers(resolver, functions, properties, &place)?;
    let default = properties.get("Auth").and_then(|auth| auth.get("DefaultAuthorizer"));
    let default =
        default.map(|name| resolver.string(name, &place.child("Auth.DefaultAuthorizer"))).transpose()?;
    let mut routes = Vec::new();
    for (id, resource) in resolver.resources("AWS::Serverless::Function")? {
        let events = resource.properties.get("Events").and_then(Value::as_mapping);
        for (name, event) in events.into_iter().flat_map(named) {
            if event.get("Type").and_then(Value::as_str) == Some("HttpApi") {
                let place = PropertyPath::new(id, format!("Events.{name}"));
                routes.push(route(resolver, id, event, api_id, default.as_deref(), &place)?);
            }
        }
    }
    if apis.is_empty() && routes.is_empty() {
        return Ok(None);
    }
    check(&routes, &authorizers, &place)?;
    let cors = match properties.get("CorsConfiguration") {
        Some(cors) => Some(cors_plan(&resolver.resolve(cors, &place.child("CorsConfiguration"))?)),
        None => None,
    };
    Ok(Some(HttpPlan { api_id: api_id.to_owned(), routes, cors, authorizers }))
}

fn check(
    routes: &[HttpRoute],
    authorizers: &BTreeMap<String, AuthorizerPlan>,
    place: &PropertyPath,
) -> Result<(), TemplateError> {
    let mut keys = BTreeSet::new();
    for route in routes {
        if !keys.insert(&route.key) {
            return Err(PropertyPath::new(&route.function, "Events")
                .wrong(PropertyError::DoubleRoute(route.key.clone())));
        }
        if let Some(name) = route.authorizer.as_ref().filter(|name| !authorizers.contains_key(*name)) {
            return Err(place.child("Auth").wrong(PropertyError::NoSuchAuthorizer(name.clone())));
        }
    }
    Ok(())
}

fn route(
    resolver: &Resolver<'_>,
    function: &str,
    event: &Value,
    api: &str,
    default_authorizer: Option<&str>,
    place: &PropertyPath,
) -> Result<HttpRoute, TemplateError> {
    let null = Value::Null;
    let properties = event.get("Properties").unwrap_or(&null);
    let text = |name: &str| -> Result<Option<String>, TemplateError> {
        properties.get(name).map(|value| resolver.string(value, &place.child(name))).transpose()
    };
    if let Some(named) = text("ApiId")?.filter(|named| named != api) {
        return Err(place.child("ApiId").wrong(PropertyError::SecondApi(named)));
    }
    let method = text("Method")?.map(|method| method.to_ascii_uppercase()).filter(|method| method != "ANY");
    let path = text("Path")?.filter(|path| path != DEFAULT_ROUTE);
    let key = match &path {
        Some(path) => format!("{} {path}", method.as_deref().unwrap_or("ANY")),
        None => DEFAULT_ROUTE.to_owned(),
    };
    let own = properties.get("Auth").and_then(|auth| auth.get("Authorizer"));
    let own = own.map(|name| resolver.string(name, &place.child("Auth.Authorizer"))).transpose()?;
    let authorizer = own.or(default_authorizer.map(str::to_owned)).filter(|name| name != "NONE");
    let path = path.map(|path| segments(&path));
    Ok(HttpRoute { key, method, path, function: function.to_owned(), authorizer })
}

fn segments(path: &str) -> Vec<Segment> {
    let parts = path.trim_start_matches('/').split('/');
    parts
        .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Segment::Greedy(name.to_owned()),
                None => Segment::Parameter(name.to_owned()),
            },
            None => Segment::Literal(part.to_owned()),
        })
        .collect()
}

fn cors_plan(cors: &Json) -> CorsPlan {
    let list = |name: &str| -> Vec<String> {
        let items = cors.get(name).and_then(Json::as_array);
        items.into_iter().flatten().filter_map(text_of).collect()
    };
    CorsPlan {
        origins: list("AllowOrigins"),
        methods: list("AllowMethods"),
        headers: list("AllowHeaders"),
        expose: list("ExposeHeaders"),
        credentials: cors.get("AllowCredentials").is_some_and(|flag| flag == true || flag == "true"),
        max_age_s: cors.get("MaxAge").and_then(text_of).and_then(|text| text.parse().ok()),
    }
}

fn authorizers(
    resolver: &Resolver<'_>,
    functions: &BTreeMap<String, Function>,
    properties: &Value,
    place: &PropertyPath,
) -> Result<BTreeMap<String, AuthorizerPlan>, TemplateError> {
    let declared =
        properties.get("Auth").and_then(|auth| auth.get("Authorizers")).and_then(Value::as_mapping);
    let mut authorizers = BTreeMap::new();
    for (name, body) in declared.into_iter().flat_map(named) {
        let place = place.child(format!("Auth.Authorizers.{name}"));
        authorizers.insert(name, authorizer(resolver, functions, body, &place)?);
    }
    Ok(authorizers)
}

fn authorizer(
    resolver: &Resolver<'_>,
    functions: &BTreeMap<String, Function>,
    body: &Value,
    place: &PropertyPath,
) -> Result<AuthorizerPlan, TemplateError> {
    let Some(arn) = body.get("FunctionArn") else {
        return Err(place.wrong(PropertyError::Unsupported("an authorizer without FunctionArn")));
    };
    let function = by_arn(functions, &resolver.string(arn, place)?, &place.child("FunctionArn"))?;
    let version = body.get("AuthorizerPayloadFormatVersion");
    let version = version.map(|version| resolver.string(version, place)).transpose()?;
    if !matches!(version.as_deref(), Some("2.0" | "2")) {
        let place = place.child("AuthorizerPayloadFormatVersion");
        return Err(place.wrong(PropertyError::Unsupported("any payload format but 2.0")));
    }
    let null = Value::Null;
    let identity = body.get("Identity").unwrap_or(&null);
    let place = place.child("Identity");
    for unsupported in ["Context", "StageVariables"] {
        if identity.get(unsupported).is_some() {
            return Err(place.child(unsupported).wrong(PropertyError::Unsupported("this identity source")));
        }
    }
    let sources = |name: &str, make: fn(String) -> IdentitySource| -> Result<Vec<_>, TemplateError> {
        let Some(list) = identity.get(name) else { return Ok(Vec::new()) };
        let list = resolver.resolve(list, &place.child(name))?;
        Ok(list.as_array().into_iter().flatten().filter_map(text_of).map(make).collect())
    };
    let mut all = sources("Headers", IdentitySource::Header)?;
    all.extend(sources("QueryStrings", IdentitySource::Query)?);
    let reauthorize_s = number(resolver, identity, "ReauthorizeEvery", 0, &place)?;
    let simple = body.get("EnableSimpleResponses");
    Ok(AuthorizerPlan {
        function,
        identity: all,
        reauthorize_every: Duration::from_secs(reauthorize_s),
        simple: simple.is_some_and(|flag| flag.as_bool() == Some(true)),
    })
}
