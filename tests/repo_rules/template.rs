//! Rules about the functions and routes in template.yaml.
//! infra/checks tests what SAM makes of it; these rules do not need SAM.

use std::collections::BTreeSet;

use yaml_serde::Value;

use super::repository::{packages, read};
use super::{Findings, assert_none};

/// The message types of the published library and its dashboard. Two-way routes can send empty messages, which crash the
/// library.
const LIBRARY_TYPES: [&str; 12] = [
    "auth",
    "metrics",
    "send_metrics",
    "logs",
    "history",
    "check_status",
    "get_last_actions",
    "filter",
    "clear",
    "command",
    "request_metrics",
    "request_history",
];
const PREDEFINED: [&str; 3] = ["$connect", "$disconnect", "$default"];

fn resources(template: &Value, kind: &str) -> Vec<Value> {
    let all = template["Resources"].as_mapping().expect("the template has resources");
    all.values().filter(|resource| resource["Type"] == kind).cloned().collect()
}

/// Keys of the routes whose response is sent to the client.
fn two_way_routes(template: &Value) -> BTreeSet<String> {
    let selects = |route: &Value| route.get("RouteResponseSelectionExpression").is_some();
    let mut keys = BTreeSet::new();
    for api in resources(template, "AWS::Serverless::WebSocketApi") {
        let routes = api["Properties"]["Routes"].as_mapping().expect("the API has routes").clone();
        let two_way = routes.into_iter().filter(|(_, route)| selects(route));
        keys.extend(two_way.map(|(key, _)| key.as_str().unwrap_or_default().to_owned()));
    }
    for route in resources(template, "AWS::ApiGatewayV2::Route") {
        let properties = &route["Properties"];
        keys.extend(properties["RouteKey"].as_str().filter(|_| selects(properties)).map(str::to_owned));
    }
    keys
}

fn two_way_library_routes(template: &Value) -> Findings {
    let used = LIBRARY_TYPES.iter().chain(&PREDEFINED);
    let two_way = two_way_routes(template);
    used.filter(|key| two_way.contains(**key)).map(|key| format!("{key} is a two-way route")).collect()
}

fn function_binaries(template: &Value) -> BTreeSet<String> {
    let functions = resources(template, "AWS::Serverless::Function");
    let named = functions.iter().map(|function| &function["Metadata"]["BuildProperties"]["Binary"]);
    named.map(|binary| binary.as_str().expect("every function names its binary").to_owned()).collect()
}

fn parsed(text: &str) -> Value {
    yaml_serde::from_str(text).expect("the template is YAML")
}

#[test]
fn no_route_that_the_library_uses_is_two_way() {
    let sample = parsed(
        "Resources:
  Ws:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      Routes:
        auth: { FunctionArn: !GetAtt A.Arn, RouteResponseSelectionExpression: $default }
        ping: { FunctionArn: !GetAtt A.Arn, RouteResponseSelectionExpression: $default }
  Hand:
    Type: AWS::ApiGatewayV2::Route
    Properties: { RouteKey: send_metrics, RouteResponseSelectionExpression: $default }
",
    );
    assert_eq!(
        two_way_library_routes(&sample),
        ["auth is a two-way route", "send_metrics is a two-way route"]
    );
    assert_none(two_way_library_routes(&parsed(&read("template.yaml"))));
}

#[test]
fn every_function_has_a_binary_and_every_binary_a_function() {
    let sample = parsed(
        "Resources:
  A: { Type: AWS::Serverless::Function, Metadata: { BuildProperties: { Binary: a } } }
",
    );
    assert_eq!(function_binaries(&sample), BTreeSet::from(["a".to_owned()]));

    let declared = function_binaries(&parsed(&read("template.yaml")));
    let packages = packages();
    let functions = packages.iter().filter(|package| package.folder().starts_with("functions/"));
    let built: BTreeSet<String> =
        functions.flat_map(|package| package.binaries().map(str::to_owned).collect::<Vec<_>>()).collect();
    let unmatched = declared.symmetric_difference(&built);
    assert_none(unmatched.map(|name| format!("{name} is in only one of template.yaml and functions/")));
}
