//! `--stack`, with an `aws` command that prints what the real one printed for a deployment of the template.

use crate::gateway::{Gateway, SECRET};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};
use tokio::process::Command;

/// Creates an `aws` command in the gateway's folder that shows its tables as those of the stack `prod`.
fn deploy(gateway: &Gateway) -> Value {
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
    ready
}

fn text<'r>(ready: &'r Value, name: &str) -> &'r str {
    ready.get(name).and_then(Value::as_str).unwrap()
}

/// Runs the command with AWS credentials, and the embedded engine as the DynamoDB endpoint.
async fn nsl(gateway: &Gateway, ready: &Value, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsl"));
    command.args(arguments.split(' ')).current_dir(&gateway.folder).env_clear();
    command.env("PATH", &gateway.folder).env("AWS_REGION", "eu-west-1");
    command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "example");
    command.env("AWS_ENDPOINT_URL_DYNAMODB", ready.get("dynamodb").and_then(Value::as_str).unwrap());
    command.stdin(Stdio::null()).output().await.unwrap()
}

async fn documents(gateway: &Gateway, ready: &Value, arguments: &str) -> Vec<Value> {
    let output = nsl(gateway, ready, arguments).await;
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn error(gateway: &Gateway, ready: &Value, arguments: &str) -> String {
    let output = nsl(gateway, ready, arguments).await;
    assert!(!output.status.success(), "{arguments} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn stack_is_operated_by_its_name() {
    let gateway = Gateway::start("stack").await;
    let ready = deploy(&gateway);
    let message = error(&gateway, &ready, "app create --app-id shop --stack prod").await;
    assert!(message.contains("give --owner USER"), "{message}");
    documents(&gateway, &ready, "app create --app-id shop --owner ann --max-reports 20 --json --stack prod")
        .await;
    assert!(error(&gateway, &ready, "app list --stack prod").await.contains("give --owner USER"));
    let listed = documents(&gateway, &ready, "app list --owner ann --json --stack prod").await;
    assert_eq!(listed[0]["appId"], "shop");

    gateway.put("connections", "app#shop", "p#a=");
    let shown = documents(&gateway, &ready, "app show shop --json --stack prod").await.remove(0);
    assert_eq!((&shown["connections"], &shown["limits"]["reports"]), (&1.into(), &20.into()));
    let off = documents(&gateway, &ready, "app deactivate shop --json --stack prod").await.remove(0);
    assert_eq!(off["closed"], 1);
    assert_eq!(gateway.closed(), ["a="]);

    let status = format!("status --json --stack prod --http {}", text(&ready, "management"));
    let status = documents(&gateway, &ready, &status).await.remove(0);
    assert_eq!((&status["status"], status["tables"].as_array().map(Vec::len)), (&"ok".into(), Some(5)));

    let issued = documents(&gateway, &ready, "token issue --app shop --json --stack prod").await.remove(0);
    let token = issued["token"].as_str().unwrap();
    let read = gateway.nsl_with("token inspect --json", &[("NSL_TOKEN", token)], "").await;
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(read["signature"], "valid", "signed by the stack's secret");
}

#[tokio::test]
async fn unknown_stack_and_missing_aws_command_are_errors() {
    let gateway = Gateway::start("no-stack").await;
    let ready = deploy(&gateway);
    let message = error(&gateway, &ready, "app list --owner ann --stack test").await;
    assert!(message.contains("the aws command failed: An error occurred (ValidationError)"), "{message}");
    std::fs::remove_file(gateway.folder.join("aws")).unwrap();
    let message = error(&gateway, &ready, "app list --owner ann --stack prod").await;
    assert!(message.contains("cannot run the aws command"), "{message}");
}
