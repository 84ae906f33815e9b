//! A deployed CloudFormation stack, read with the `aws` command and its profile and region.

use anyhow::{Context as _, bail};
use nsl_client::ready_file::ReadyFile;
use nsl_domain::frame::control::trimmed;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::Command;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    output_key: String,
    output_value: String,
}

/// The addresses and tables of the stack, as a ready file would name them.
pub(crate) fn site(stack: &str) -> anyhow::Result<ReadyFile> {
    let query = ["--query", "Stacks[0].Outputs", "--output", "json"];
    let text = aws(&[&["cloudformation", "describe-stacks", "--stack-name", stack][..], &query].concat())?;
    let outputs: Vec<Output> =
        serde_json::from_str(&text).with_context(|| format!("cannot parse the outputs of stack {stack}"))?;
    let outputs: BTreeMap<String, String> =
        outputs.into_iter().map(|output| (output.output_key, output.output_value)).collect();
    let output = |name: &str| {
        outputs.get(name).cloned().with_context(|| format!("stack {stack} has no output {name}"))
    };
    Ok(ReadyFile {
        ws: output("WebSocketAddress")?,
        http: output("HttpAddress")?,
        dynamodb: None,
        access_key_id: None,
        management: output("ManagementEndpoint")?,
        // The AWS SDK reads the region of the environment.
        region: String::new(),
        secrets: BTreeMap::new(),
        app: None,
        outputs,
    })
}

/// The value of a secret in Secrets Manager.
pub(crate) fn secret(id: &str) -> anyhow::Result<String> {
    let query = ["--query", "SecretString", "--output", "text"];
    let text = aws(&[&["secretsmanager", "get-secret-value", "--secret-id", id][..], &query].concat())?;
    Ok(trimmed(&text).to_owned())
}

fn aws(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("aws").args(arguments).output();
    let output = output.context("cannot run the aws command, which --stack needs")?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("the aws command failed: {}", message.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    String::from_utf8(output.stdout).context("the aws command printed invalid UTF-8")
}
