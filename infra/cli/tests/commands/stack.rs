//! `--stack`, with an `aws` command that prints what the real one printed for a deployment of the template.

use crate::gateway::{Gateway, SECRET};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;

/// A gateway whose tables an `aws` command in its folder shows as those of the stack `prod`, and its ready file.
async fn deployed(name: &str) -> (Gateway, Value) {
    let mut gateway = Gateway::start(name).await;
    let ready = std::fs::read(gateway.folder.join("ready.json")).unwrap();
    let ready: Value = serde_json::from_slice(&ready).unwrap();
    let tables = ready.get("outputs").and_then(Value::as_object).unwrap().iter();
    let named = |key: &str, value: &str| {
        format!(r#"{{"OutputKey": "{key}", "OutputValue": "{value}", "Description": "From the template."}}"#)
    };
    let mut outputs: Vec<String> = tables.map(|(key, name)| named(key, name.as_str().unwrap())).collect();
    outputs.push(named("ManagementEndpoint", text(&ready, "management")));
    outputs.push(named("HttpAddress", "https://a1b2c3.execute-api.eu-west-1.amazonaws.com"));
    outputs.push(named("WebSocketAddress", "wss://d4e5f6.execute-api.eu-west-1.amazonaws.com/live"));
    outputs.push(named(
        "TokenSecret",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:TokenSecret-Ab12Cd",
    ));
    let script = format!(
        r#"#!/bin/sh
case "$*" in
"cloudformation describe-stacks --stack-name prod --query Stacks[0].Outputs --output json")
  printf '%s\n' '[{}]' ;;
"secretsmanager get-secret-value --secret-id arn:aws:secretsmanager:eu-west-1:123456789012:secret:TokenSecret-Ab12Cd --query SecretString --output text")
  printf '%s\n' '{SECRET}' ;;
*)
  printf '\n%s\n' 'An error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id test does not exist' >&2
  exit 254 ;;
esac
"#,
        outputs.join(", ")
    );
    let program = gateway.folder.join("aws");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    gateway.variables = vec![
        ("PATH", gateway.folder.display().to_string()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "example".to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", text(&ready, "dynamodb").to_owned()),
    ];
    (gateway, ready)
}

fn text<'r>(ready: &'r Value, name: &str) -> &'r str {
    ready.get(name).and_then(Value::as_str).unwrap()
}

#[tokio::test]
async fn stack_is_operated_by_its_name() {
    let (gateway, ready) = deployed("stack").await;
    let message = gateway.error("app create --app-id shop --stack prod").await;
    assert!(message.contains("give --owner USER"), "{message}");
    gateway.documents("app create --app-id shop --owner ann --max-reports 20 --json --stack prod").await;
    assert!(gateway.error("app list --stack prod").await.contains("give --owner USER"));
    let listed = gateway.documents("app list --owner ann --json --stack prod").await;
    assert_eq!(listed[0]["appId"], "shop");

    gateway.put("ConnectionsTable", "app#shop", "p#a=").await;
    let shown = gateway.document("app show shop --json --stack prod").await;
    assert_eq!((&shown["connections"], &shown["limits"]["reports"]), (&1.into(), &20.into()));
    let off = gateway.document("app deactivate shop --json --stack prod").await;
    assert_eq!(off["closed"], 1);
    assert_eq!(gateway.closed(), ["a="]);

    let status = format!("status --json --stack prod --http {}", text(&ready, "http"));
    let status = gateway.document(&status).await;
    assert_eq!((&status["status"], status["tables"].as_array().map(Vec::len)), (&"ok".into(), Some(5)));

    let issued = gateway.document("token issue --app shop --json --stack prod").await;
    let token = issued["token"].as_str().unwrap();
    let read = gateway.nsl_with("token inspect --json", &[("NSL_TOKEN", token)], "").await;
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(read["signature"], "valid", "signed by the stack's secret");
}

#[tokio::test]
async fn unknown_stack_and_missing_aws_command_are_errors() {
    let (gateway, _) = deployed("no-stack").await;
    let message = gateway.error("app list --owner ann --stack test").await;
    assert!(message.contains("the aws command failed: An error occurred (ValidationError)"), "{message}");
    std::fs::remove_file(gateway.folder.join("aws")).unwrap();
    let message = gateway.error("app list --owner ann --stack prod").await;
    assert!(message.contains("cannot run the aws command"), "{message}");
}
