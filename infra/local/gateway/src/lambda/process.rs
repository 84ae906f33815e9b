//! One process of a function, from startup to end: one invocation at a time, as on Lambda.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::process::Child;
use tokio::sync::oneshot;

use super::error::InvokeError;
use super::output::ChildOutput;
use super::runtime_api::{Invocation, RuntimeApi};
use crate::console::{Channel, Console};
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

impl Process {
    /// Starts a process and waits until it asks for its first invocation.
    pub(crate) async fn start(launch: &Launch) -> Result<Self, String> {
        let api =
            RuntimeApi::start().await.map_err(|error| format!("no port for its Runtime API: {error}"))?;
        let program = launch.gateway_program.as_deref();
        let mut command = parent_death::command(program, &launch.binary, &launch.environment);
        let mut child = command
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", launch.binary.display()))?;
        let function = &launch.function;
        let output = ChildOutput::follow(&mut child, &function.logical_id, Channel::Stderr, &launch.console);
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
        tokio::select! {
            ready = self.api.ready() => ready,
            status = self.child.wait() => Err(exit_reason(status)),
            () = tokio::time::sleep(INIT_TIMEOUT) => {
                Err(format!("did not ask for an invocation within {} s", INIT_TIMEOUT.as_secs()))
            }
        }
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
        let (reply, result) = oneshot::channel();
        let invocation = Invocation {
            request_id: request_id.clone(),
            event,
            deadline_ms: clock::now_ms() + clock::millis(limit),
            function_arn: self.function_arn.clone(),
            reply,
        };
        // If the API is gone, `reply` is dropped and `result` fails.
        drop(self.api.invocations.send(invocation).await);
        let failure = tokio::select! {
            biased;
            result = result => match result {
                Ok(result) => return Invoked { result, is_reusable: self.is_ready().await },
                Err(_) => "it asked for the next invocation without a valid response".to_owned(),
            },
            status = self.child.wait() => {
                format!("RequestId: {request_id} Error: Runtime exited: {}", exit_reason(status))
            }
            () = tokio::time::sleep(limit) => {
                format!("{request_id} Task timed out after {:.2} seconds", limit.as_secs_f64())
            }
        };
        Invoked { result: Err(InvokeError::Function { message: failure }), is_reusable: false }
    }

    /// Waits until the process asks for the next invocation; false if it exits instead.
    async fn is_ready(&mut self) -> bool {
        tokio::select! {
            ready = self.api.ready() => ready.is_ok(),
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
