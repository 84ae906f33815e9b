//! Tests of the plan, each with a minimal template.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Plan, StreamRules, plan};

const REGION: &str = "us-east-1";

fn planned(text: &str) -> Plan {
    plan(text, &BTreeMap::new(), REGION).unwrap()
}

fn error(text: &str) -> String {
    plan(text, &BTreeMap::new(), REGION).unwrap_err().to_string()
}

/// A template with one function whose environment is given, indented by eight.
fn with_environment(variables: &str, rest: &str) -> String {
    format!(
        "
{rest}
Resources:
  Things: {{ Type: AWS::DynamoDB::Table, Properties: {{ KeySchema: [], AttributeDefinitions: [] }} }}
  Ws: {{ Type: 'AWS::Serverless::WebSocketApi', Properties: {{ RouteSelectionExpression: $request.body.type,
        Routes: {{ $default: {{ FunctionArn: !GetAtt Fn.Arn }} }} }} }}
  Fn:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: fn }} }}
    Properties:
      Environment:
        Variables: {variables}
"
    )
}

fn environment(variables: &str, rest: &str) -> BTreeMap<String, String> {
    planned(&with_environment(variables, rest)).functions["Fn"].environment.clone()
}

#[test]
fn references_become_physical_names_and_scalars_text() {
    let found = environment("{ TABLE: !Ref Things, ARN: !GetAtt Things.Arn, N: 5, FLAG: true }", "");
    assert_eq!(found["TABLE"], "Things");
    assert_eq!(found["ARN"], "arn:aws:dynamodb:us-east-1:000000000000:table/Things");
    assert_eq!((found["N"].as_str(), found["FLAG"].as_str()), ("5", "true"));
}

#[test]
fn sub_and_split_resolve_names_and_attributes() {
    let found = environment(
        "{ A: !Sub 'https://${Ws}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}',
           B: !Sub '${Things.Arn}-${Stage}', C: !Split [',', 'one,two'], D: !Ref Hosts }",
        "Parameters: { Stage: { Type: String, Default: live },
                       Hosts: { Type: CommaDelimitedList, Default: 'one, two' } }",
    );
    assert_eq!(found["A"], "https://Ws.execute-api.us-east-1.amazonaws.com/live");
    assert_eq!(found["B"], "arn:aws:dynamodb:us-east-1:000000000000:table/Things-live");
    assert_eq!((found["C"].as_str(), found["D"].as_str()), ("one,two", "one,two"));
}

#[test]
fn conditions_select_values_and_resources() {
    let rest = "Parameters: { Mode: { Type: String, Default: small } }
Conditions: { Small: !Equals [!Ref Mode, small], Big: !Not [!Condition Small] }";
    let found = environment(
        "{ SIZE: !If [Small, s, b], GONE: !If [Big, x, !Ref 'AWS::NoValue'], BOTH: !If [Big, 1, 2] }",
        rest,
    );
    assert_eq!(found["SIZE"], "s");
    assert!(!found.contains_key("GONE"));
    let text = with_environment("{}", rest)
        .replace("AWS::DynamoDB::Table,", "AWS::DynamoDB::Table, Condition: Big,");
    assert!(planned(&text).tables.is_empty());
    let overrides = BTreeMap::from([("Mode".to_owned(), "large".to_owned())]);
    assert_eq!(plan(&text, &overrides, REGION).unwrap().tables.len(), 1);
}

#[test]
fn outputs_with_a_false_condition_are_left_out() {
    let rest = "Conditions: { Never: !Equals [a, b], Always: !Equals [a, a] }
Outputs: { Gone: { Condition: Never, Value: x }, There: { Condition: Always, Value: y }, Plain: { Value: z } }";
    let outputs = planned(&with_environment("{}", rest)).outputs;
    assert_eq!(outputs.keys().collect::<Vec<_>>(), ["Plain", "There"]);
    let unknown = with_environment("{}", "Outputs: { A: { Condition: Nowhere, Value: x } }");
    assert_eq!(error(&unknown), "Outputs.A: Condition: the condition Nowhere does not exist");
}

#[test]
fn errors_name_the_logical_id_and_the_property() {
    let path = "Fn: Environment.Variables.X: ";
    assert_eq!(
        error(&with_environment("{ X: !Ref Nothing }", "")),
        format!("{path}`Nothing` names no parameter and no resource of this template")
    );
    assert_eq!(
        error(&with_environment("{ X: !Cidr [a, 1] }", "")),
        format!("{path}the gateway does not support the intrinsic function Fn::Cidr")
    );
    assert_eq!(
        error(&with_environment("{ X: !Sub '${Things.Colour}' }", "")),
        format!("{path}the gateway has no value for the attribute `Things.Colour`")
    );
    for unsupported in ["!GetAtt [Things, Arn]", "!Sub ['${A}', { A: b }]", "!Split [',']"] {
        let error = error(&with_environment(&format!("{{ X: {unsupported} }}"), ""));
        assert!(
            error.starts_with(path) && error.contains("form that the gateway does not support"),
            "{error}"
        );
    }
    assert_eq!(
        error("Resources: { F: { Type: 'AWS::Serverless::Function', Properties: {} } }"),
        "F: Metadata.BuildProperties.Binary: is missing"
    );
    assert!(error("Parameters: { P: { Type: String } }\nResources: {}").contains("pass --parameter P=VALUE"));
}

#[test]
fn conditions_in_a_circle_are_an_error() {
    let circle = "Conditions: { A: !Condition B, B: !Condition A }";
    assert!(error(&with_environment("{ X: !If [A, 1, 2] }", circle)).contains("circle"));
}

#[test]
fn globals_are_defaults_for_functions() {
    let text = "
Globals: { Function: { Timeout: 7, MemorySize: 512, Environment: { Variables: { A: global, B: global } } } }
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: fn } }
    Properties: { Timeout: 9, Environment: { Variables: { B: own } } }
";
    let function = &planned(text).functions["Fn"];
    assert_eq!((function.timeout.as_secs(), function.memory_mb), (9, 512));
    assert_eq!(function.environment["A"], "global");
    assert_eq!(function.environment["B"], "own");
}

/// A template with a WebSocket API whose `Routes` and further resources are given.
fn with_routes(routes: &str, more: &str) -> String {
    format!(
        "
Resources:
  Fn: {{ Type: AWS::Serverless::Function, Metadata: {{ BuildProperties: {{ Binary: fn }} }} }}
  Other: {{ Type: AWS::Serverless::Function, Metadata: {{ BuildProperties: {{ Binary: other }} }} }}
  Ws:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.a.b
      Routes: {routes}
{more}"
    )
}

#[test]
fn route_keys_with_one_logical_id_are_an_error() {
    let routes = "{ sendEvent: { FunctionArn: !GetAtt Fn.Arn }, sendevent: { FunctionArn: !GetAtt Fn.Arn } }";
    assert_eq!(
        error(&with_routes(routes, "")),
        "Ws: Routes: route keys `sendEvent` and `sendevent` both become the logical id WsSendeventRoute: \
         AWS would keep only one"
    );
    let routes = "{ $connect: { FunctionArn: !GetAtt Fn.Arn }, connect: { FunctionArn: !GetAtt Fn.Arn } }";
    assert!(error(&with_routes(routes, "")).contains("WsConnectRoute"));
    let routes = "{ a_b: { FunctionArn: !GetAtt Fn.Arn } }";
    assert!(error(&with_routes(routes, "")).contains("must be alphanumeric"));
}

#[test]
fn extra_routes_share_generated_integrations() {
    let plan = planned(&with_routes(
        "{ metrics: { FunctionArn: !GetAtt Other.Arn, IntegrationTimeout: 5000 } }",
        "  Sent: { Type: 'AWS::ApiGatewayV2::Route', Properties: { ApiId: !Ref Ws, RouteKey: send_metrics,
            Target: !Sub 'integrations/${WsMetricsIntegration}' } }",
    ));
    let websocket = plan.websocket.unwrap();
    assert_eq!(websocket.selection, ["a", "b"]);
    let route = &websocket.routes["send_metrics"];
    assert_eq!((route.function.as_str(), route.timeout.as_millis(), route.two_way), ("Other", 5000, false));
}

#[test]
fn two_way_routes_need_expression_and_route_response() {
    let both = "  Answer: { Type: 'AWS::ApiGatewayV2::RouteResponse', Properties: { ApiId: !Ref Ws,
            RouteId: !Ref WsAskRoute, RouteResponseKey: $default } }";
    let with = "{ ask: { FunctionArn: !GetAtt Fn.Arn, RouteResponseSelectionExpression: $default } }";
    let without = "{ ask: { FunctionArn: !GetAtt Fn.Arn } }";
    let two_way = |routes: &str, more: &str| {
        planned(&with_routes(routes, more)).websocket.unwrap().routes["ask"].two_way
    };
    assert!(two_way(with, both));
    assert!(!two_way(with, ""));
    assert!(!two_way(without, both));
}

#[test]
fn http_routes_come_from_events_with_their_authorizers() {
    let text = "
Resources:
  Gate: { Type: AWS::Serverless::Function, Metadata: { BuildProperties: { Binary: gate } } }
  Fn:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: fn } }
    Properties:
      Events:
        One: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: get, Path: '/a/{id}/{rest+}' } }
        Two: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: ANY, Path: /b, Auth: { Authorizer: NONE } } }
        Poll: { Type: Schedule, Properties: { Schedule: !Cidr x } }
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration: { AllowOrigins: [http://a], AllowCredentials: true, MaxAge: 60 }
      Auth:
        DefaultAuthorizer: Bearer
        Authorizers:
          Bearer: { FunctionArn: !GetAtt Gate.Arn, AuthorizerPayloadFormatVersion: '2.0',
                    EnableSimpleResponses: true, Identity: { Headers: [Authorization], ReauthorizeEvery: 60 } }
";
    let http = planned(text).http.unwrap();
    let [one, two] = http.routes.as_slice() else { panic!("two routes") };
    assert_eq!((one.key.as_str(), one.method.as_deref()), ("GET /a/{id}/{rest+}", Some("GET")));
    assert_eq!(one.path.as_deref(), Some("/a/{id}/{rest+}"));
    assert_eq!(one.authorizer.as_deref(), Some("Bearer"));
    assert_eq!((two.key.as_str(), two.method.clone(), two.authorizer.clone()), ("ANY /b", None, None));
    let bearer = &http.authorizers["Bearer"];
    assert_eq!(bearer.identity, ["Authorization"]);
    assert_eq!(bearer.reauthorize_every.as_secs(), 60);
    let policies = text.replace("EnableSimpleResponses: true", "EnableSimpleResponses: false");
    assert!(error(&policies).contains("an authorizer without EnableSimpleResponses is not supported"));
    let cors = http.cors.unwrap();
    assert_eq!((cors.credentials, cors.max_age_s), (true, Some(60)));
    let (without_api, _) = text.split_once("  Api:").unwrap();
    assert_eq!(
        error(without_api),
        "Fn: Events.One: the template has no AWS::Serverless::HttpApi for this event"
    );
}

#[test]
fn tables_keep_keys_indexes_stream_and_time_to_live() {
    let text = "
Resources:
  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PROVISIONED
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      GlobalSecondaryIndexes:
        - { IndexName: i, KeySchema: [], Projection: { ProjectionType: ALL }, ProvisionedThroughput: {} }
      StreamSpecification: { StreamViewType: NEW_IMAGE }
      TimeToLiveSpecification: { AttributeName: expiresAt, Enabled: true }
      SSESpecification: { SSEEnabled: true }
";
    let plan = planned(text);
    let [table] = plan.tables.as_slice() else { panic!("one table") };
    assert_eq!(table.ttl_attribute.as_deref(), Some("expiresAt"));
    assert_eq!(
        table.create,
        serde_json::json!({
            "TableName": "Things",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
            "GlobalSecondaryIndexes": [
                { "IndexName": "i", "KeySchema": [], "Projection": { "ProjectionType": "ALL" } }
            ],
            "StreamSpecification": { "StreamViewType": "NEW_IMAGE", "StreamEnabled": true },
        })
    );
}

#[test]
fn own_template_is_supported() {
    let plan = planned(include_str!("../../../../../template.yaml"));
    let websocket = plan.websocket.unwrap();
    assert!(websocket.routes.contains_key("$connect"));
    assert!(plan.functions.contains_key(&websocket.routes["send_metrics"].function));
    assert!(plan.http.is_some());
    assert!(!plan.tables.is_empty());
    assert!(plan.outputs["WebSocketAddress"].starts_with("wss://Ws.execute-api."));
    assert_eq!(plan.outputs["RawRetentionHours"], "48");
}

/// A template with a table with a stream, one without, and one event with these properties.
fn with_stream(properties: &str, more: &str) -> String {
    format!(
        "
Resources:
  Things: {{ Type: AWS::DynamoDB::Table, Properties: {{ KeySchema: [], AttributeDefinitions: [],
             StreamSpecification: {{ StreamViewType: NEW_IMAGE }} }} }}
  Quiet: {{ Type: AWS::DynamoDB::Table, Properties: {{ KeySchema: [], AttributeDefinitions: [] }} }}
  Queue: {{ Type: AWS::SQS::Queue }}
  Fold:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: fold }} }}
    Properties:
      Events: {{ Changes: {{ Type: DynamoDB, Properties: {{ {properties} }} }} }}
{more}"
    )
}

const STREAM: &str = "Stream: !GetAtt Things.StreamArn, StartingPosition: TRIM_HORIZON";

#[test]
fn stream_events_become_mappings_with_lambdas_defaults() {
    let plan = planned(&with_stream(STREAM, ""));
    let [stream] = plan.streams.as_slice() else { panic!("one mapping") };
    assert_eq!((stream.id.as_str(), stream.function.as_str()), ("FoldChanges", "Fold"));
    assert_eq!(stream.table, "Things");
    assert!(stream.filters.is_empty() && stream.on_failure.is_none());
    let defaults = StreamRules {
        batch_size: 100,
        window: Duration::ZERO,
        parallel: 1,
        reports_failures: false,
        bisects: false,
        retries: None,
        max_age: None,
    };
    assert_eq!(stream.rules, defaults);
}

#[test]
fn mapping_properties_come_from_the_event() {
    let rest = "StartingPosition: TRIM_HORIZON, BatchSize: 500,
        MaximumBatchingWindowInSeconds: 60, ParallelizationFactor: 2, BisectBatchOnFunctionError: true,
        MaximumRetryAttempts: 3, MaximumRecordAgeInSeconds: 72000, FunctionResponseTypes: [ReportBatchItemFailures],
        FilterCriteria: { Filters: [{ Pattern: '{\"eventName\":[\"INSERT\",\"MODIFY\"]}' }] },
        DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt Queue.Arn } }";
    let plan = planned(&with_stream(&format!("Stream: !GetAtt Things.StreamArn, {rest}"), ""));
    let [stream] = plan.streams.as_slice() else { panic!("one mapping") };
    let rules = StreamRules {
        batch_size: 500,
        window: Duration::from_secs(60),
        parallel: 2,
        reports_failures: true,
        bisects: true,
        retries: Some(3),
        max_age: Some(Duration::from_secs(72_000)),
    };
    assert_eq!(stream.rules, rules);
    assert_eq!(stream.on_failure.as_deref(), Some("arn:aws:sqs:us-east-1:000000000000:Queue"));
    assert!(stream.filters[0].matches(&serde_json::json!({ "eventName": "MODIFY" })));
    assert!(!stream.filters[0].matches(&serde_json::json!({ "eventName": "REMOVE" })));
}

#[test]
fn unsupported_mappings_are_errors_with_a_path() {
    for (more, expected) in [
        ("BatchSize: 0", "BatchSize: must be a whole number from 1 to 10000"),
        (
            "MaximumBatchingWindowInSeconds: 301",
            "MaximumBatchingWindowInSeconds: must be a whole number from 0 to 300",
        ),
        ("MaximumRecordAgeInSeconds: 59", "MaximumRecordAgeInSeconds: must be -1 or at least 60"),
        ("FunctionResponseTypes: [Other]", "FunctionResponseTypes: must be [ReportBatchItemFailures]"),
        (
            "TumblingWindowInSeconds: 5",
            "TumblingWindowInSeconds: a tumbling window is not supported by the gateway",
        ),
        (
            "FilterCriteria: { Filters: [{ Pattern: '{\"n\":[{\"numeric\":[\"=\",1]}]}' }] }",
            "FilterCriteria.Filters.0.Pattern: the pattern n: the condition `numeric` is not supported by the \
             gateway, only exact values are",
        ),
    ] {
        let error = error(&with_stream(&format!("{STREAM}, {more}"), ""));
        assert_eq!(error, format!("Fold: Events.Changes.{expected}"));
    }
    let error = |properties: &str| self::error(&with_stream(properties, ""));
    assert!(error("Stream: !GetAtt Things.StreamArn").contains("StartingPosition: is missing"));
    let latest = error("Stream: !GetAtt Things.StreamArn, StartingPosition: LATEST");
    assert!(latest.contains("any position but TRIM_HORIZON is not supported"), "{latest}");
    for (table, expected) in
        [("Quiet.StreamArn", "has no StreamSpecification"), ("Queue.Arn", "the ARN of a table's stream")]
    {
        let error = error(&format!("Stream: !GetAtt {table}, StartingPosition: TRIM_HORIZON"));
        assert!(error.contains(expected), "{table}: {error}");
    }
    let mapping = "  Own: { Type: 'AWS::Lambda::EventSourceMapping' }";
    assert!(self::error(&with_stream(STREAM, mapping)).starts_with("Own: only `DynamoDB` events"));
    assert!(planned(&with_stream(&format!("{STREAM}, Enabled: false"), "")).streams.is_empty());
}
