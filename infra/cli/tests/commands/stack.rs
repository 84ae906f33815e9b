//! `--stack`: found with one signed request, in the Region and with the credentials that the AWS CLI's variables and
//! files name.

use crate::fake_aws::{FakeAws, error, without_outputs};
use crate::gateway::Gateway;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;

/// A gateway whose tables are those of the stack `prod`, and the services that describe it.
async fn deployed(name: &str) -> (Gateway, FakeAws) {
    let mut gateway = Gateway::start(name).await;
    let aws = FakeAws::start(&gateway).await;
    let tables = gateway.ready()["dynamodb"].as_str().unwrap().to_owned();
    gateway.variables = vec![
        // Nothing of the machine that the test runs on: no AWS CLI, no files, no instance role.
        ("PATH", "/nonexistent".to_owned()),
        ("HOME", gateway.folder.display().to_string()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_ENDPOINT_URL", aws.address.clone()),
        ("AWS_ENDPOINT_URL_DYNAMODB", tables),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "example".to_owned()),
    ];
    (gateway, aws)
}

impl Gateway {
    fn unset(&mut self, names: &[&str]) {
        self.variables.retain(|(name, _)| !names.contains(name));
    }

    /// Writes the files of the AWS CLI.
    fn write_aws_files(&self, config: &str, credentials: &str) {
        let folder = self.folder.join(".aws");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config"), config).unwrap();
        std::fs::write(folder.join("credentials"), credentials).unwrap();
    }
}

/// The one line of a failing `app list`.
async fn failure(gateway: &Gateway, stack: &str) -> String {
    let text = gateway.error(&format!("app list --owner ann --stack {stack}")).await;
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[tokio::test]
async fn stack_is_operated_by_its_name() {
    let (gateway, _aws) = deployed("stack").await;
    let message = gateway.error("app create --app-id shop --stack prod").await;
    assert!(message.contains("give --owner USER"), "{message}");
    gateway.documents("app create --app-id shop --owner ann --max-reports 20 --json --stack prod").await;
    assert!(gateway.error("app list --stack prod").await.contains("give --owner USER"));
    let listed = gateway.documents("app list --owner ann --json --stack prod").await;
    assert_eq!(listed[0]["appId"], "shop");
    let config = gateway.document("app config shop --new-key --json --stack prod").await;
    assert_eq!(config["app"]["wsUrl"], "wss://d4e5f6.execute-api.eu-west-1.amazonaws.com/live");

    gateway.put("ConnectionsTable", "app#shop", "p#a=").await;
    let shown = gateway.document("app show shop --json --stack prod").await;
    assert_eq!((&shown["connections"], &shown["limits"]["reports"]), (&1.into(), &20.into()));
    let off = gateway.document("app deactivate shop --json --stack prod").await;
    assert_eq!(off["closed"], 1);
    assert_eq!(gateway.closed(), ["a="]);

    let http = gateway.ready()["http"].as_str().unwrap().to_owned();
    let status = gateway.document(&format!("status --json --stack prod --http {http}")).await;
    assert_eq!((&status["status"], status["tables"].as_array().map(Vec::len)), (&"ok".into(), Some(5)));

    let issued = gateway.document("token issue --app shop --json --stack prod").await;
    let token = issued["token"].as_str().unwrap();
    let read = gateway.nsl_with("token inspect --json", &[("NSL_TOKEN", token)], "").await;
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(read["signature"], "valid", "signed by the stack's secret");
}

#[tokio::test]
async fn region_and_credentials_come_from_variables_or_a_profile() {
    let (mut gateway, aws) = deployed("profile").await;
    let signed = |access_key: &str, region: &str| {
        let requests = aws.take_requests();
        let credential = format!("credential={}/", access_key.to_lowercase());
        assert!(requests.iter().all(|request| request.contains(&credential)), "{requests:?}");
        assert!(requests.iter().all(|request| request.contains(&format!("/{region}/cloudformation/"))));
        assert_eq!(requests.len(), 1);
    };
    gateway.documents("app list --owner ann --json --stack prod").await;
    signed("AKIDEXAMPLE", "eu-west-1");

    gateway.unset(&["AWS_REGION"]);
    gateway.variables.push(("AWS_DEFAULT_REGION", "us-west-2".to_owned()));
    gateway.documents("app list --owner ann --json --stack prod").await;
    signed("AKIDEXAMPLE", "us-west-2");

    gateway.unset(&["AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
    let credentials = "[ops]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = example\n";
    gateway.write_aws_files("[profile ops]\nregion = sa-east-1\n", credentials);
    gateway.variables.push(("AWS_PROFILE", "ops".to_owned()));
    gateway.documents("app list --owner ann --json --stack prod").await;
    signed("AKIDPROFILE", "sa-east-1");
}

#[tokio::test]
async fn missing_region_and_credentials_are_one_sentence() {
    let (mut gateway, _aws) = deployed("no-access").await;
    gateway.unset(&["AWS_ACCESS_KEY_ID"]);
    let message = failure(&gateway, "prod").await;
    assert!(message.contains("no AWS credentials were found: set AWS_PROFILE"), "{message}");
    gateway.unset(&["AWS_REGION"]);
    let message = failure(&gateway, "prod").await;
    assert!(message.contains("no AWS Region is set: set AWS_REGION"), "{message}");
    let message = gateway.error("app list --owner ann --table apps").await;
    assert!(!message.contains("Region"), "a local gateway needs none: {message}");
}

#[tokio::test]
async fn unknown_stack_names_the_region_and_its_stacks() {
    let (gateway, _aws) = deployed("no-stack").await;
    let message = failure(&gateway, "test").await;
    assert_eq!(message, "nsl: no stack test in Region eu-west-1: the stacks there are prod\n");
}

#[tokio::test]
async fn refusals_of_aws_state_what_to_do() {
    let (gateway, aws) = deployed("refused").await;
    let denied = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: cloudformation:DescribeStacks";
    for (status, body, part) in [
        (403, error("AccessDenied", denied), "need the permission cloudformation:DescribeStacks: User: arn"),
        (
            403,
            error("ExpiredToken", "The security token is expired"),
            "the AWS credentials have expired: sign in",
        ),
        (
            403,
            error("InvalidClientTokenId", "The token is invalid"),
            "in Region eu-west-1 does not accept the credentials",
        ),
        (400, error("Throttling", "Rate exceeded"), "Region eu-west-1: Rate exceeded (Throttling)"),
        (
            200,
            without_outputs("ROLLBACK_COMPLETE"),
            "no outputs: it is ROLLBACK_COMPLETE, its creation failed",
        ),
        (200, without_outputs("CREATE_IN_PROGRESS"), "CREATE_IN_PROGRESS, wait until it is deployed"),
        (502, "<html>".to_owned(), "status 502 <html>"),
    ] {
        aws.refuse(status, &body);
        let message = failure(&gateway, "prod").await;
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn identity_center_profile_uses_the_aws_command() {
    let (mut gateway, aws) = deployed("sso").await;
    gateway.unset(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PATH"]);
    gateway.variables.push(("PATH", format!("{}:/usr/bin:/bin", gateway.folder.display())));
    let write_aws = |script: &str| {
        let program = gateway.folder.join("aws");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let profile = "[default]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1\n\
        sso_account_id = 123456789012\nsso_role_name = ops\n";
    gateway.write_aws_files(profile, "");
    write_aws("echo 'Token has expired and refresh failed' >&2; exit 255");
    let message = failure(&gateway, "prod").await;
    assert!(
        message.contains("needs the aws command (AWS CLI 2.9 or newer) after `aws sso login`"),
        "{message}"
    );

    assert!(message.contains("Token has expired and refresh failed"), "{message}");
    let exported =
        r#"{"Version": 1, "AccessKeyId": "AKIDSSO", "SecretAccessKey": "example", "SessionToken": "s"}"#;
    write_aws(&format!("[ \"$*\" = 'configure export-credentials --format process' ] && echo '{exported}'"));
    gateway.documents("app list --owner ann --json --stack prod").await;
    assert!(aws.take_requests().iter().any(|request| request.contains("credential=akidsso/")));
}
