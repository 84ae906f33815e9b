//! The HTTP API: routes from the `HttpApi` events of functions, CORS, Lambda authorizers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::functions::{Function, FunctionEvent, events, referenced_function};
use super::path::PropertyPath;
use super::property::{Property, only_resource};
use super::resolve::Resolver;

const DEFAULT_ROUTE: &str = "$default";

/// An `AWS::Serverless::HttpApi` with its routes.
#[derive(Clone, Debug)]
pub(crate) struct HttpPlan {
    pub(crate) api_id: String,
    pub(crate) routes: Vec<HttpRoute>,
    pub(crate) cors: Option<CorsPlan>,
    pub(crate) authorizers: BTreeMap<String, AuthorizerPlan>,
}

#[derive(Clone, Debug)]
pub(crate) struct HttpRoute {
    /// `GET /apps/{appId}`, or `$default`.
    pub(crate) key: String,
    /// `None` for every method.
    pub(crate) method: Option<String>,
    /// `None` for `$default`.
    pub(crate) path: Option<String>,
    pub(crate) function: String,
    pub(crate) authorizer: Option<String>,
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

/// A Lambda authorizer with payload format 2.0, whose result is `{isAuthorized}`.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizerPlan {
    pub(crate) function: String,
    /// The headers that identify the caller.
    pub(crate) identity: Vec<String>,
    /// How long a result is cached; zero for not at all.
    pub(crate) reauthorize_every: Duration,
}

pub(crate) fn plan(
    resolver: &Resolver<'_>,
    functions: &BTreeMap<String, Function>,
) -> anyhow::Result<Option<HttpPlan>> {
    let events = events(resolver, "HttpApi")?;
    let Some(api) = only_resource(resolver, "AWS::Serverless::HttpApi")? else {
        return match events.first() {
            Some(event) => {
                Err(event.property.error("the template has no AWS::Serverless::HttpApi for this event"))
            }
            None => Ok(None),
        };
    };
    let mut authorizers = BTreeMap::new();
    for (name, property) in api.properties.get("Auth.Authorizers").iter().flat_map(Property::entries) {
        authorizers.insert(name, authorizer(functions, &property)?);
    }
    let default_authorizer = api.properties.optional_text("Auth.DefaultAuthorizer")?;
    let routes = events.iter().map(|event| route(event, api.id, default_authorizer.as_deref()));
    let routes: Vec<HttpRoute> = routes.collect::<Result<_, _>>()?;
    check(&routes, &authorizers, &api.properties.path)?;
    let cors = api.properties.get("CorsConfiguration").map(|cors| cors_plan(&cors)).transpose()?;
    Ok(Some(HttpPlan { api_id: api.id.to_owned(), routes, cors, authorizers }))
}

fn check(
    routes: &[HttpRoute],
    authorizers: &BTreeMap<String, AuthorizerPlan>,
    path: &PropertyPath,
) -> anyhow::Result<()> {
    let mut keys = BTreeSet::new();
    for route in routes {
        if !keys.insert(&route.key) {
            let error = format!("route key `{}` is declared twice", route.key);
            return Err(PropertyPath::new(&route.function, "Events").error(error));
        }
        if let Some(name) = route.authorizer.as_ref().filter(|name| !authorizers.contains_key(*name)) {
            return Err(path.child("Auth").error(format!("`{name}` is not an authorizer of this API")));
        }
    }
    Ok(())
}

fn route(
    event: &FunctionEvent<'_>,
    api: &str,
    default_authorizer: Option<&str>,
) -> anyhow::Result<HttpRoute> {
    let properties = event.property.required("Properties")?;
    if let Some(other) = properties.optional_text("ApiId")?.filter(|named| named != api) {
        let error = format!("the gateway runs one API of this type, and {other} is another");
        return Err(properties.path.child("ApiId").error(error));
    }
    let method = properties.optional_text("Method")?.map(|method| method.to_ascii_uppercase());
    let method = method.filter(|method| method != "ANY");
    let path = properties.optional_text("Path")?.filter(|path| path != DEFAULT_ROUTE);
    let key = match &path {
        Some(path) => format!("{} {path}", method.as_deref().unwrap_or("ANY")),
        None => DEFAULT_ROUTE.to_owned(),
    };
    let own_authorizer = properties.optional_text("Auth.Authorizer")?;
    let authorizer = own_authorizer.or(default_authorizer.map(str::to_owned)).filter(|name| name != "NONE");
    Ok(HttpRoute { key, method, path, function: event.function.to_owned(), authorizer })
}

fn cors_plan(cors: &Property<'_>) -> anyhow::Result<CorsPlan> {
    Ok(CorsPlan {
        origins: exact_origins(cors)?,
        methods: cors.texts("AllowMethods")?,
        headers: cors.texts("AllowHeaders")?,
        expose: cors.texts("ExposeHeaders")?,
        credentials: cors.flag("AllowCredentials")?,
        max_age_s: cors.optional_text("MaxAge")?.and_then(|text| text.parse().ok()),
    })
}

fn exact_origins(cors: &Property<'_>) -> anyhow::Result<Vec<String>> {
    let origins = cors.texts("AllowOrigins")?;
    if origins.iter().any(|origin| origin.contains('*')) {
        return Err(cors.path.child("AllowOrigins").error("a pattern is not supported by the gateway"));
    }
    Ok(origins)
}

fn authorizer(
    functions: &BTreeMap<String, Function>,
    property: &Property<'_>,
) -> anyhow::Result<AuthorizerPlan> {
    let Some(arn) = property.get("FunctionArn") else {
        return Err(property.error("an authorizer without FunctionArn is not supported by the gateway"));
    };
    let version = property.optional_text("AuthorizerPayloadFormatVersion")?;
    if !matches!(version.as_deref(), Some("2.0" | "2")) {
        let path = property.path.child("AuthorizerPayloadFormatVersion");
        return Err(path.error("any payload format but 2.0 is not supported by the gateway"));
    }
    if !property.flag("EnableSimpleResponses")? {
        return Err(
            property.error("an authorizer without EnableSimpleResponses is not supported by the gateway")
        );
    }
    let mut identity = Vec::new();
    let mut reauthorize_s = 0;
    if let Some(sources) = property.get("Identity") {
        for unsupported in ["Context", "QueryStrings", "StageVariables"] {
            if let Some(source) = sources.get(unsupported) {
                return Err(source.error("this identity source is not supported by the gateway"));
            }
        }
        identity = sources.texts("Headers")?;
        reauthorize_s = sources.number("ReauthorizeEvery", 0)?;
    }
    Ok(AuthorizerPlan {
        function: referenced_function(functions, &arn)?,
        identity,
        reauthorize_every: Duration::from_secs(reauthorize_s),
    })
}
