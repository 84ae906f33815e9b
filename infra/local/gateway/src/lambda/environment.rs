//! The environment of child processes: the template's variables, Lambda's own, and local endpoints.
//!
//! Only the region, credentials, the values of `AWS_ENDPOINT_URL_*` and `wss://` addresses of the template's own API
//! differ from what AWS would set.

use std::collections::BTreeMap;

use crate::endpoints::Endpoints;
use crate::settings::{LOCAL_ACCESS_KEY_ID, Settings};
use crate::template::Function;

const ENDPOINT_PREFIX: &str = "AWS_ENDPOINT_URL_";
const DYNAMODB_ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";
const MANAGEMENT_ENDPOINT: &str = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI";
const WEBSOCKET_SCHEME: &str = "wss://";
const SECRET_ACCESS_KEY: &str = "localgatewaysecret";

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
        ("AWS_ACCESS_KEY_ID", LOCAL_ACCESS_KEY_ID),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::ListenAddresses;
    use crate::template::plan;

    #[test]
    fn only_endpoints_are_rewritten() {
        let text = "
Resources:
  Ws: { Type: 'AWS::Serverless::WebSocketApi', Properties: { StageName: live,
        RouteSelectionExpression: $request.body.type, Routes: { a: { FunctionArn: !GetAtt Fn.Arn } } } }
  Fn:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: fn } }
    Properties:
      Environment:
        Variables:
          AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI: https://example.com/x
          AWS_ENDPOINT_URL_OTHER: !Sub https://${Ws}.execute-api.${AWS::Region}.${AWS::URLSuffix}/live
          FOREIGN: wss://example.com/live
          SOCKET: !Sub wss://${Ws}.execute-api.${AWS::Region}.${AWS::URLSuffix}/live
          SITE: !Sub https://${Ws}.execute-api.${AWS::Region}.${AWS::URLSuffix}/live
";
        let plan = plan(text, &BTreeMap::new(), "eu-west-1").unwrap();
        let at = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let listen = ListenAddresses { websocket: at(1), http: at(2), management: at(3) };
        let endpoints = Endpoints::new(&plan, "eu-west-1", listen, "http://d".into());
        let settings = Settings::read(|name| (name == "PATH").then(|| "/bin".into()), None);
        let found = process_environment(&plan.functions["Fn"], &settings, &endpoints);
        assert_eq!(found[MANAGEMENT_ENDPOINT], "http://127.0.0.1:3/live");
        assert_eq!(found["AWS_ENDPOINT_URL_OTHER"], "http://127.0.0.1:3/live");
        assert_eq!(
            (found["SOCKET"].as_str(), found["FOREIGN"].as_str()),
            ("ws://127.0.0.1:1/live", "wss://example.com/live")
        );
        assert_eq!(found["SITE"], "https://Ws.execute-api.eu-west-1.amazonaws.com/live");
        assert_eq!(found[DYNAMODB_ENDPOINT], "http://d");
        assert_eq!((found["AWS_REGION"].as_str(), found["PATH"].as_str()), ("eu-west-1", "/bin"));
        assert_eq!(found["AWS_LAMBDA_FUNCTION_NAME"], "Fn");
        let elsewhere = function_variables(&plan.functions["Fn"], &endpoints);
        assert_eq!((&elsewhere["SOCKET"], elsewhere.get("PATH")), (&found["SOCKET"], None));
    }
}
