//! One process of a function, from startup to end: one invocation at a time, as on Lambda.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::process::Child;
use tokio::time::timeout;

use super::error::{InvokeError, error_message};
use super::output::{ChildOutput, StderrKind};
use super::runtime_api::{Invocation, RuntimeApi, RuntimeCall};
use crate::console::Console;
use crate::template::Function;
use crate::{clock, ids, parent_death};

/// Lambda retries initialisation after ten seconds; a debug build on a busy machine needs more.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);

/// How to start a process of one function.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) function: Function,
    pub(crate) binary: PathBuf,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) gateway_program: Option<PathBuf>,
    pub(crate) console: Arc<Console>,
}

/// An initialised process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    output: ChildOutput,
    api: RuntimeApi,
    timeout: Duration,
    function_arn: String,
}

/// The end of an invocation.
pub(crate) struct Invoked {
    pub(crate) result: Result<Bytes, InvokeError>,
    /// Whether the process has asked for the next invocation.
    pub(crate) is_reusable: bool,
}

enum Outcome {
    /// The function returned this result or error.
    Returned(Result<Bytes, InvokeError>),
    /// The process will return nothing, for this reason.
    Lost(String),
}

impl Process {
    /// Starts a process and waits until it asks for its first invocation.
    pub(crate) async fn start(launch: &Launch) -> Result<Self, String> {
        let api =
            RuntimeApi::start().await.map_err(|error| format!("no port for its Runtime API: {error}"))?;
        let mut command = parent_death::command(launch.gateway_program.as_deref(), &launch.binary);
        command
            .env_clear()
            .envs(&launch.environment)
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child =
            command.spawn().map_err(|error| format!("cannot start {}: {error}", launch.binary.display()))?;
        let function = &launch.function;
        let output =
            ChildOutput::follow(&mut child, &function.logical_id, StderrKind::Errors, &launch.console);
        let (timeout, function_arn) = (function.timeout, function.arn.clone());
        let mut process = Self { child, output, api, timeout, function_arn };
        match process.initialise().await {
            Ok(()) => Ok(process),
            Err(error) => {
                parent_death::end(&mut process.child).await;
                let lines = process.output.last_lines().await;
                Err(if lines.is_empty() { error } else { format!("{error}: {}", lines.join(" | ")) })
            }
        }
    }

    async fn initialise(&mut self) -> Result<(), String> {
        let initialised = timeout(INIT_TIMEOUT, async {
            tokio::select! {
                call = self.api.calls.recv() => match call {
                    Some(RuntimeCall::InitError { body }) => Err(error_message(&body)),
                    Some(RuntimeCall::Next | RuntimeCall::Response { .. } | RuntimeCall::Error { .. }) => Ok(()),
                    None => Err("its Runtime API was closed".to_owned()),
                },
                status = self.child.wait() => Err(exit_reason(status)),
            }
        });
        let timed_out = |_| Err(format!("did not ask for an invocation within {} s", INIT_TIMEOUT.as_secs()));
        initialised.await.unwrap_or_else(timed_out)
    }

    pub(crate) fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) async fn end(mut self) {
        parent_death::end(&mut self.child).await;
    }

    pub(crate) async fn invoke(&mut self, event: Bytes) -> Invoked {
        let request_id = ids::uuid();
        let limit = self.timeout;
        let invocation = Invocation {
            request_id: request_id.clone(),
            event,
            deadline_ms: clock::now_ms() + clock::millis(limit),
            function_arn: self.function_arn.clone(),
        };
        let lost = |message| Invoked { result: Err(InvokeError::Function { message }), is_reusable: false };
        if self.api.invocations.send(invocation).await.is_err() {
            return lost("its Runtime API was closed".to_owned());
        }
        let outcome = tokio::select! {
            outcome = self.outcome_of(&request_id) => outcome,
            () = tokio::time::sleep(limit) => {
                return lost(format!("{request_id} Task timed out after {:.2} seconds", limit.as_secs_f64()));
            }
        };
        match outcome {
            Outcome::Returned(result) => Invoked { result, is_reusable: self.is_ready().await },
            Outcome::Lost(message) => lost(message),
        }
    }

    async fn outcome_of(&mut self, expected: &str) -> Outcome {
        loop {
            let call = tokio::select! {
                call = self.api.calls.recv() => call,
                status = self.child.wait() => {
                    let reason = exit_reason(status);
                    return Outcome::Lost(format!("RequestId: {expected} Error: Runtime exited: {reason}"));
                }
            };
            match call {
                Some(RuntimeCall::Response { request_id, body }) if request_id == expected => {
                    return Outcome::Returned(Ok(body));
                }
                Some(RuntimeCall::Error { request_id, body }) if request_id == expected => {
                    return Outcome::Returned(Err(InvokeError::Function { message: error_message(&body) }));
                }
                // The Runtime API rejected its response, for example for its size.
                Some(RuntimeCall::Next) => {
                    return Outcome::Lost(
                        "it asked for the next invocation without a valid response".to_owned(),
                    );
                }
                Some(
                    RuntimeCall::Response { .. } | RuntimeCall::Error { .. } | RuntimeCall::InitError { .. },
                ) => {}
                None => return Outcome::Lost("its Runtime API was closed".to_owned()),
            }
        }
    }

    /// Waits until the process asks for the next invocation; false if it exits instead.
    async fn is_ready(&mut self) -> bool {
        tokio::select! {
            call = self.api.calls.recv() => call.is_some(),
            _ = self.child.wait() => false,
        }
    }
}

fn exit_reason(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("ended with {status}"),
        Err(error) => format!("cannot be waited for: {error}"),
    }
}
