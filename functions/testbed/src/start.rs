//! Starts a function's own binary as Lambda does, against a test bed, and keeps what it says before it ends.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::bed::TestBed;

/// How long a function may take to find out that it cannot start.
const PATIENCE: Duration = Duration::from_secs(20);

/// The lines that `program` prints until it ends of itself, with no environment but `variables` and the test bed.
///
/// # Panics
/// Where it goes on, or ends as if all were well.
pub async fn refusal_to_start(program: &str, bed: &TestBed, variables: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new(program);
    command.env_clear().envs(variables.iter().copied());
    command.env("AWS_ENDPOINT_URL_DYNAMODB", bed.store.url()).env("AWS_REGION", TestBed::REGION);
    command.env("AWS_ACCESS_KEY_ID", "LOCALGATEWAY").env("AWS_SECRET_ACCESS_KEY", "local");
    command.env("AWS_LAMBDA_LOG_FORMAT", "JSON").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("the function ends").expect("the function starts");
    assert!(!output.status.success(), "the function ended as if all were well");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
