//! A deployed CloudFormation stack: its outputs and parameters, and the secret in Secrets Manager. Each is one signed
//! request, so that `--stack` needs no other program.

use crate::cli::Cli;
use anyhow::{Context as _, anyhow, bail};
use nsl_aws::operator::{self, Operator, ServiceError, ServiceRequest, Stack};
use nsl_client::clock;
use nsl_client::http::{Answer, Call, HttpClient, Method};
use nsl_client::ready_file::ReadyFile;
use nsl_domain::frame::control::trimmed;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest wait for a response of CloudFormation or Secrets Manager.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Stacks of the Region that are listed where the named one does not exist.
const MAX_LISTED: usize = 10;

/// The addresses and tables of the stack, as a ready file would name them.
pub(crate) async fn site(name: &str, cli: &Cli) -> anyhow::Result<ReadyFile> {
    let operator = cli.operator().await?;
    let answer = send(operator, Stack::describe(name)).await?;
    let stack = match Stack::read(answer.status, &answer.body) {
        Ok(stack) => stack,
        Err(error) if error.message.contains("does not exist") => bail!(no_such_stack(name, operator).await),
        Err(error) => {
            bail!(advice(&error, &format!("read stack {name}"), "cloudformation:DescribeStacks", operator))
        }
    };
    if stack.outputs.is_empty() {
        bail!("stack {name} in {} has no outputs: it is {}", operator.region(), state(&stack.status));
    }
    let output = |output: &str| {
        let value = stack.outputs.get(output).cloned();
        value.with_context(|| format!("stack {name} has no output {output}: it is of another template"))
    };
    Ok(ReadyFile {
        ws: output("WebSocketAddress")?,
        http: output("HttpAddress")?,
        dynamodb: None,
        access_key_id: None,
        management: output("ManagementEndpoint")?,
        region: operator.region().to_owned(),
        secrets: BTreeMap::new(),
        app: None,
        parameters: stack.parameters,
        outputs: stack.outputs,
    })
}

/// The value of a secret in Secrets Manager.
pub(crate) async fn secret(id: &str, cli: &Cli) -> anyhow::Result<String> {
    let operator = cli.operator().await?;
    let answer = send(operator, operator::secret_request(id)).await?;
    let secret = operator::secret_value(answer.status, &answer.body);
    let refused = |error: ServiceError| {
        anyhow!(advice(&error, &format!("read secret {id}"), "secretsmanager:GetSecretValue", operator))
    };
    secret.map(|text| trimmed(&text).to_owned()).map_err(refused)
}

async fn send(operator: &Operator, request: ServiceRequest) -> anyhow::Result<Answer> {
    let signed = operator.sign(request, clock::now())?;
    let headers: Vec<(&str, &str)> =
        signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let http = HttpClient::new(&signed.url, TIMEOUT)?;
    let call = Call { method: Method::POST, path: "/", headers: &headers, body: signed.body };
    let failed =
        || format!("cannot reach AWS in Region {}, check the Region and the network", operator.region());
    http.send(call).await.with_context(failed)
}

/// That there is no such stack, with those that exist, if the operator may list them.
async fn no_such_stack(name: &str, operator: &Operator) -> String {
    let region = operator.region();
    let listed = match send(operator, operator::list_stacks()).await {
        Ok(answer) => operator::stack_names(answer.status, &answer.body).ok(),
        Err(_) => None,
    };
    let existing = match listed {
        None => "check the name, the Region and the account".to_owned(),
        Some(names) if names.is_empty() => {
            "this account has no stack there; check the Region and the account".to_owned()
        }
        Some(names) => {
            let more = if names.len() > MAX_LISTED { ", …" } else { "" };
            let names: Vec<String> = names.into_iter().take(MAX_LISTED).collect();
            format!("the stacks there are {}{more}", names.join(", "))
        }
    };
    format!("no stack {name} in Region {region}: {existing}")
}

/// What the operator can do about `error`, in one sentence.
fn advice(error: &ServiceError, attempt: &str, permission: &str, operator: &Operator) -> String {
    if error.is_expired() {
        "the AWS credentials have expired: sign in again (aws sso login), or set new ones".to_owned()
    } else if error.is_denied() {
        format!("cannot {attempt}: the AWS credentials need the permission {permission}: {}", error.message)
    } else if error.is_unauthenticated() {
        format!("AWS in Region {} does not accept the credentials: {error}", operator.region())
    } else {
        format!("cannot {attempt} in Region {}: {error}", operator.region())
    }
}

/// Why a stack in this state has no outputs, and what to do.
fn state(status: &str) -> String {
    let advice = match status {
        "CREATE_IN_PROGRESS" | "REVIEW_IN_PROGRESS" | "IMPORT_IN_PROGRESS" => "wait until it is deployed",
        "ROLLBACK_IN_PROGRESS" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" => {
            "its creation failed; its events state why (CloudFormation console), and docs/DEPLOYMENT.md what to do"
        }
        "DELETE_IN_PROGRESS" | "DELETE_COMPLETE" | "DELETE_FAILED" => {
            "it is being deleted or was deleted in part"
        }
        _ => "it is of another template",
    };
    format!("{status}, {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_without_outputs_has_advice() {
        for (status, part) in [
            ("CREATE_IN_PROGRESS", "wait"),
            ("ROLLBACK_COMPLETE", "creation failed"),
            ("DELETE_FAILED", "deleted in part"),
            ("UPDATE_COMPLETE", "another template"),
        ] {
            assert!(state(status).contains(part), "{status}");
        }
    }
}
