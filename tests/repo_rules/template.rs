//! Rules about the functions, routes, permissions and tables in template.yaml; docs/SECURITY.md has the reasons of the
//! wildcards. infra/checks tests what SAM makes of the template; these rules do not need SAM.

use std::collections::BTreeSet;

use yaml_serde::Value;

use super::repository::{packages, template};
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
/// The only resource with a wildcard: connection ids are not known in advance.
const OPEN_ENDED: &str = "/@connections/*";
/// The table whose items expire within hours and can be recreated.
const EPHEMERAL: &str = "ConnectionsTable";

/// Every string in a value, also below tags such as `!Sub`.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Sequence(values) => values.iter().flat_map(texts).collect(),
        Value::Mapping(values) => values.values().flat_map(texts).collect(),
        Value::Tagged(tagged) => texts(&tagged.value),
        _ => Vec::new(),
    }
}

/// The resources of one type with their names.
fn resources(template: &Value, kind: &str) -> Vec<(String, Value)> {
    let all = template["Resources"].as_mapping().expect("the template has resources");
    let of_kind = all.iter().filter(|(_, resource)| resource["Type"] == kind);
    of_kind.map(|(name, resource)| (name.as_str().unwrap_or_default().to_owned(), resource.clone())).collect()
}

/// Keys of the routes whose response is sent to the client.
fn two_way_routes(template: &Value) -> BTreeSet<String> {
    let apis = resources(template, "AWS::Serverless::WebSocketApi").into_iter();
    let of_apis = apis.flat_map(|(_, api)| api["Properties"]["Routes"].as_mapping().cloned());
    let alone = resources(template, "AWS::ApiGatewayV2::Route").into_iter();
    let alone =
        alone.map(|(_, route)| (route["Properties"]["RouteKey"].clone(), route["Properties"].clone()));
    let routes = of_apis.flatten().chain(alone);
    let two_way = routes.filter(|(_, route)| route.get("RouteResponseSelectionExpression").is_some());
    two_way.filter_map(|(key, _)| key.as_str().map(str::to_owned)).collect()
}

fn two_way_library_routes(template: &Value) -> Findings {
    let used = LIBRARY_TYPES.iter().chain(&PREDEFINED);
    let two_way = two_way_routes(template);
    used.filter(|key| two_way.contains(**key)).map(|key| format!("{key} is a two-way route")).collect()
}

fn function_binaries(template: &Value) -> BTreeSet<String> {
    let functions = resources(template, "AWS::Serverless::Function");
    let named = functions.iter().map(|(_, function)| &function["Metadata"]["BuildProperties"]["Binary"]);
    named.map(|binary| binary.as_str().expect("every function names its binary").to_owned()).collect()
}

fn wildcards(template: &Value) -> Findings {
    let mut findings = Findings::new();
    for (function, resource) in resources(template, "AWS::Serverless::Function") {
        let policies = resource["Properties"]["Policies"].as_sequence().cloned().unwrap_or_default();
        for statement in
            policies.iter().flat_map(|policy| policy["Statement"].as_sequence().into_iter().flatten())
        {
            let sid = statement["Sid"].as_str().unwrap_or("a statement without a name");
            let actions = texts(&statement["Action"]);
            let resources = texts(&statement["Resource"]);
            let is_open = |text: &&String| text.strip_suffix(OPEN_ENDED).unwrap_or(text).contains('*');
            let open = actions.iter().chain(&resources).filter(is_open);
            findings.extend(open.map(|text| format!("{function}: {sid}: {text}")));
            if actions.is_empty() || resources.is_empty() {
                findings.push(format!("{function}: {sid} names no action or no resource"));
            }
        }
    }
    findings
}

fn unrecoverable_tables(template: &Value) -> Findings {
    let mut findings = Findings::new();
    for (name, table) in resources(template, "AWS::DynamoDB::Table") {
        let properties = &table["Properties"];
        let recovers = &properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
        if name != EPHEMERAL && !is_on(template, recovers) {
            findings.push(format!("{name} cannot be recovered"));
        }
    }
    findings
}

/// Whether `value` is true, or refers to a parameter whose default is true.
fn is_on(template: &Value, value: &Value) -> bool {
    let Value::Tagged(tagged) = value else { return *value == true };
    let parameter = tagged.value.as_str().unwrap_or_default();
    tagged.tag == "Ref" && template["Parameters"][parameter]["Default"] == "true"
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
    assert_none(two_way_library_routes(&template()));
}

#[test]
fn every_function_has_a_binary_and_every_binary_a_function() {
    let sample = parsed(
        "Resources:
  A: { Type: AWS::Serverless::Function, Metadata: { BuildProperties: { Binary: a } } }
",
    );
    assert_eq!(function_binaries(&sample), BTreeSet::from(["a".to_owned()]));

    let declared = function_binaries(&template());
    let packages = packages();
    let functions = packages.iter().filter(|package| package.folder().starts_with("functions/"));
    let built: BTreeSet<String> =
        functions.flat_map(|package| package.binaries().map(str::to_owned).collect::<Vec<_>>()).collect();
    let unmatched = declared.symmetric_difference(&built);
    assert_none(unmatched.map(|name| format!("{name} is in only one of template.yaml and functions/")));
}

#[test]
fn only_connection_ids_have_a_wildcard() {
    let sample = parsed(
        "Resources:
  A:
    Type: AWS::Serverless::Function
    Properties:
      Policies:
        - Statement:
            - { Sid: Read, Effect: Allow, Action: [dynamodb:Get*], Resource: !GetAtt T.Arn }
            - { Sid: All, Effect: Allow, Action: dynamodb:GetItem, Resource: '*' }
            - { Sid: Post, Effect: Allow, Action: [p], Resource: !Sub 'arn:${Ws}/live/POST/@connections/*' }
            - { Sid: Loose, Effect: Allow, Action: [p], Resource: !Sub 'arn:${Ws}/*/POST/@connections/*' }
            - { Sid: Nothing, Effect: Allow }
",
    );
    let expected = [
        "A: Read: dynamodb:Get*",
        "A: All: *",
        "A: Loose: arn:${Ws}/*/POST/@connections/*",
        "A: Nothing names no action or no resource",
    ];
    assert_eq!(wildcards(&sample), expected);
    assert_none(wildcards(&template()));
}

#[test]
fn every_permanent_table_can_be_recovered() {
    let sample = parsed(
        "Parameters: { Yes: { Default: 'true' }, No: { Default: 'false' } }
Resources:
  ConnectionsTable: { Type: AWS::DynamoDB::Table, Properties: { BillingMode: PAY_PER_REQUEST } }
  Apps: { Type: AWS::DynamoDB::Table, Properties: { BillingMode: PAY_PER_REQUEST } }
  On: { Type: AWS::DynamoDB::Table, Properties: {
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: !Ref Yes } } }
  Off: { Type: AWS::DynamoDB::Table, Properties: {
           PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: !Ref No } } }
",
    );
    assert_eq!(unrecoverable_tables(&sample), ["Apps cannot be recovered", "Off cannot be recovered"]);
    assert_none(unrecoverable_tables(&template()));
}
