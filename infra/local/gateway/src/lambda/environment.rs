//! The environment of child processes: the template's variables, Lambda's own, and local endpoints.
//!
//! Only the region, credentials, the values of `AWS_ENDPOINT_URL_*` and `wss://` addresses of the template's own API
//! differ from what AWS would set.

use std::collections::BTreeMap;

use crate::endpoints::Endpoints;
use crate::settings::Settings;
use crate::template::Function;

const ENDPOINT_PREFIX: &str = "AWS_ENDPOINT_URL_";
const DYNAMODB_ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";
const MANAGEMENT_ENDPOINT: &str = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI";
const WEBSOCKET_SCHEME: &str = "wss://";
/// Signatures are not verified.
const SECRET_ACCESS_KEY: &str = "local";

/// The environment of a child that uses the AWS SDK and is not a function.
pub(crate) fn tool_environment(settings: &Settings, endpoints: &Endpoints) -> BTreeMap<String, String> {
    let mut environment = settings.inherited.clone();
    environment.extend(sdk_variables(endpoints));
    environment
}

fn sdk_variables(endpoints: &Endpoints) -> BTreeMap<String, String> {
    let variables = [
        ("AWS_REGION", endpoints.region.as_str()),
        ("AWS_DEFAULT_REGION", &endpoints.region),
        ("AWS_ACCESS_KEY_ID", endpoints.access_key.as_str()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        (DYNAMODB_ENDPOINT, &endpoints.dynamodb),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The variables that a function needs besides those of the machine and of Lambda itself.
pub(crate) fn function_variables(function: &Function, endpoints: &Endpoints) -> BTreeMap<String, String> {
    let mut environment = sdk_variables(endpoints);
    for (name, value) in &function.environment {
        let value = match name.as_str() {
            DYNAMODB_ENDPOINT => endpoints.dynamodb.clone(),
            MANAGEMENT_ENDPOINT => endpoints.management_endpoint(),
            _ if name.starts_with(ENDPOINT_PREFIX) || value.starts_with(WEBSOCKET_SCHEME) => {
                endpoints.rewrite_to_local(value)
            }
            _ => value.clone(),
        };
        environment.insert(name.clone(), value);
    }
    environment
}

/// The environment of a function's processes, without the Runtime API's address.
pub(crate) fn process_environment(
    function: &Function,
    settings: &Settings,
    endpoints: &Endpoints,
) -> BTreeMap<String, String> {
    let mut environment = settings.inherited.clone();
    environment.extend(function_variables(function, endpoints));
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_LAMBDA_LOG_FORMAT", function.log_format.clone()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local".into()),
        ("_HANDLER", "bootstrap".into()),
    ] {
        environment.insert(name.to_owned(), value);
    }
    // The runtime prefers this variable to RUST_LOG, so it is left out when RUST_LOG is set.
    if let Some(level) = function.log_level.as_ref().filter(|_| !environment.contains_key("RUST_LOG")) {
        environment.insert("AWS_LAMBDA_LOG_LEVEL".into(), level.clone());
    }
    environment
}
