//! Rules about the permissions of the functions in template.yaml, and about the recovery of its tables.
//! docs/SECURITY.md has the reasons of the wildcards.

use yaml_serde::Value;

use super::repository::read;
use super::{Findings, assert_none};

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
fn named(template: &Value, kind: &str) -> Vec<(String, Value)> {
    let all = template["Resources"].as_mapping().expect("the template has resources");
    let of_kind = all.iter().filter(|(_, resource)| resource["Type"] == kind);
    of_kind.map(|(name, resource)| (name.as_str().unwrap_or_default().to_owned(), resource.clone())).collect()
}

fn wildcards(template: &Value) -> Findings {
    let mut findings = Findings::new();
    for (function, resource) in named(template, "AWS::Serverless::Function") {
        let policies = resource["Properties"]["Policies"].as_sequence().cloned().unwrap_or_default();
        for statement in
            policies.iter().flat_map(|policy| policy["Statement"].as_sequence().into_iter().flatten())
        {
            let sid = statement["Sid"].as_str().unwrap_or("a statement without a name");
            let actions = texts(&statement["Action"]);
            findings.extend(
                actions
                    .iter()
                    .filter(|action| action.contains('*'))
                    .map(|one| format!("{function}: {sid}: {one}")),
            );
            let resources = texts(&statement["Resource"]);
            let is_open = |one: &&String| one.strip_suffix(OPEN_ENDED).unwrap_or(one).contains('*');
            findings.extend(resources.iter().filter(is_open).map(|one| format!("{function}: {sid}: {one}")));
            if actions.is_empty() || resources.is_empty() {
                findings.push(format!("{function}: {sid} names no action or no resource"));
            }
        }
    }
    findings
}

fn unrecoverable_tables(template: &Value) -> Findings {
    let mut findings = Findings::new();
    for (name, table) in named(template, "AWS::DynamoDB::Table") {
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
    assert_none(wildcards(&parsed(&read("template.yaml"))));
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
    assert_none(unrecoverable_tables(&parsed(&read("template.yaml"))));
}
