//! A deployed stack, as its outputs describe it: asked for with the `aws` command, which knows profiles and regions.

use crate::local::ReadyFile;
use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::Command;

/// The command that is asked.
const AWS: &str = "aws";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    output_key: String,
    output_value: String,
}

/// Where the stack's service is, in the words of a ready file.
pub(crate) fn site(stack: &str) -> anyhow::Result<ReadyFile> {
    let query = ["--query", "Stacks[0].Outputs", "--output", "json"];
    let text = ask(&[&["cloudformation", "describe-stacks", "--stack-name", stack][..], &query].concat())?;
    let outputs: Vec<Output> = serde_json::from_str(&text)
        .with_context(|| format!("cannot understand the outputs of stack {stack}"))?;
    let outputs: BTreeMap<String, String> =
        outputs.into_iter().map(|output| (output.output_key, output.output_value)).collect();
    let named = |name: &str| outputs.get(name).cloned().unwrap_or_default();
    Ok(ReadyFile {
        ws: named("WebSocketAddress"),
        http: named("HttpAddress"),
        dynamodb: None,
        management: named("ManagementEndpoint"),
        region: String::new(),
        secrets: BTreeMap::new(),
        app: None,
        outputs,
    })
}

/// The value of a secret in Secrets Manager.
pub(crate) fn secret(id: &str) -> anyhow::Result<String> {
    let query = ["--query", "SecretString", "--output", "text"];
    let text = ask(&[&["secretsmanager", "get-secret-value", "--secret-id", id][..], &query].concat())?;
    Ok(text.trim().to_owned())
}

fn ask(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(AWS).args(arguments).output();
    let output = output.context("--stack needs the aws command (pip install awscli)")?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("aws refused: {}", complaint.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    String::from_utf8(output.stdout).context("aws answered no text")
}
