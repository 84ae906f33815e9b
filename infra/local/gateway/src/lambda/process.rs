//! One process of a function, from its start to its end: one invocation at a time, as on Lambda.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value as Json;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::fleet::PoolMessage;
use super::invoke::InvokeError;
use super::output::{Output, Stderr};
use super::runtime_api::{Invocation, RuntimeApi, Said};
use crate::console::Console;
use crate::template::Function;
use crate::{clock, ids, parent_death};

/// Lambda gives initialisation ten seconds before it tries again; a debug build on a busy laptop gets more.
const INIT_LIMIT: Duration = Duration::from_secs(30);

/// Numbers processes within the gateway.
pub(crate) type ProcessNumber = u64;
/// Where the result of an invocation goes.
pub(crate) type Reply = oneshot::Sender<Result<Bytes, InvokeError>>;

/// An invocation that waits for a process or runs in one.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) event: Bytes,
    pub(crate) reply: Reply,
}

/// How to start a process of one function.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) function: Function,
    pub(crate) binary: PathBuf,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) gateway_program: Option<PathBuf>,
    pub(crate) console: Arc<Console>,
}

/// Runs one process; jobs come from `jobs`, whose closing ends it. The pool hears of each change of state.
pub(crate) async fn run(
    launch: Arc<Launch>,
    number: ProcessNumber,
    jobs: mpsc::Receiver<Job>,
    pool: mpsc::UnboundedSender<PoolMessage>,
) {
    let mut returned = None;
    let init_fault = match Process::start(&launch).await {
        Err(fault) => Some(fault),
        Ok(mut process) => match process.initialise().await {
            Err(fault) => Some(fault),
            Ok(()) => {
                returned = process.work(number, jobs, &pool).await;
                None
            }
        },
    };
    drop(pool.send(PoolMessage::Gone { number, returned, init_fault }));
}

struct Process<'l> {
    launch: &'l Launch,
    child: Child,
    output: Output,
    api: RuntimeApi,
}

/// Whether the process can go on after an invocation.
enum After {
    Alive,
    Ended,
}

impl<'l> Process<'l> {
    async fn start(launch: &'l Launch) -> Result<Self, String> {
        let api =
            RuntimeApi::open().await.map_err(|fault| format!("no port for its Runtime API: {fault}"))?;
        let mut command = parent_death::command(launch.gateway_program.as_deref(), &launch.binary);
        command
            .env_clear()
            .envs(&launch.environment)
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child =
            command.spawn().map_err(|fault| format!("cannot start {}: {fault}", launch.binary.display()))?;
        let output =
            Output::follow(&mut child, &launch.function.logical_id, Stderr::Complaints, &launch.console);
        Ok(Self { launch, child, output, api })
    }

    /// Waits until the process asks for work for the first time.
    async fn initialise(&mut self) -> Result<(), String> {
        let outcome = timeout(INIT_LIMIT, async {
            tokio::select! {
                said = self.api.said.recv() => match said {
                    Some(Said::InitError { body }) => Err(error_message(&body)),
                    _ => Ok(()),
                },
                status = self.child.wait() => Err(ended(status)),
            }
        });
        let outcome = outcome.await;
        let fault = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(fault)) => fault,
            Err(_) => format!("did not ask for work within {} s", INIT_LIMIT.as_secs()),
        };
        parent_death::end(&mut self.child).await;
        let lines = self.output.last_lines().await;
        Err(if lines.is_empty() { fault } else { format!("{fault}: {}", lines.join(" | ")) })
    }

    /// Takes jobs until the pool wants no more or the process ends. Returns a job that was not begun.
    async fn work(
        &mut self,
        number: ProcessNumber,
        mut jobs: mpsc::Receiver<Job>,
        pool: &mpsc::UnboundedSender<PoolMessage>,
    ) -> Option<Job> {
        loop {
            if pool.send(PoolMessage::Idle { number }).is_err() {
                parent_death::end(&mut self.child).await;
                return None;
            }
            let job = tokio::select! {
                biased;
                _ = self.child.wait() => {
                    jobs.close();
                    return jobs.recv().await;
                }
                job = jobs.recv() => job,
            };
            let Some(job) = job else {
                parent_death::end(&mut self.child).await;
                return None;
            };
            if let After::Ended = self.serve(job).await {
                parent_death::end(&mut self.child).await;
                jobs.close();
                return jobs.recv().await;
            }
        }
    }

    async fn serve(&mut self, job: Job) -> After {
        let limit = self.launch.function.timeout;
        let request_id = ids::invocation_id();
        let invocation = Invocation {
            request_id: request_id.clone(),
            event: job.event,
            deadline_ms: clock::now_ms() + clock::millis(limit),
            function_arn: self.launch.function.arn.clone(),
        };
        if self.api.work.send(invocation).await.is_err() {
            return After::Ended;
        }
        let outcome = tokio::select! {
            answer = answer(&mut self.api.said, &request_id) => answer,
            status = self.child.wait() => Err(format!("RequestId: {request_id} Error: Runtime exited: {}", ended(status))),
            () = tokio::time::sleep(limit) => {
                Err(format!("{request_id} Task timed out after {:.2} seconds", limit.as_secs_f64()))
            }
        };
        let (result, after) = match outcome {
            Ok(result) => (result, self.next_poll().await),
            Err(message) => (Err(InvokeError::Function { message }), After::Ended),
        };
        // A caller that has given up needs no result.
        drop(job.reply.send(result));
        after
    }

    /// Waits until the process asks for work again.
    async fn next_poll(&mut self) -> After {
        tokio::select! {
            said = self.api.said.recv() => if said.is_some() { After::Alive } else { After::Ended },
            _ = self.child.wait() => After::Ended,
        }
    }
}

/// The process's answer to the invocation that it holds; an error where it will never give one.
async fn answer(
    said: &mut mpsc::UnboundedReceiver<Said>,
    expected: &str,
) -> Result<Result<Bytes, InvokeError>, String> {
    while let Some(said) = said.recv().await {
        match said {
            Said::Response { request_id, body } if request_id == expected => return Ok(Ok(body)),
            Said::Error { request_id, body } if request_id == expected => {
                return Ok(Err(InvokeError::Function { message: error_message(&body) }));
            }
            // Its answer was refused, for its size perhaps.
            Said::Polled => return Err("it asked for more work without a valid answer".into()),
            Said::Response { .. } | Said::Error { .. } | Said::InitError { .. } => {}
        }
    }
    Err("its Runtime API was closed".into())
}

/// The message of an error document, or the document where it has none.
pub(crate) fn error_message(body: &[u8]) -> String {
    let document: Option<Json> = serde_json::from_slice(body).ok();
    let message = document.as_ref().and_then(|document| document.get("errorMessage")).and_then(Json::as_str);
    message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

fn ended(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("ended with {status}"),
        Err(fault) => format!("was lost: {fault}"),
    }
}
