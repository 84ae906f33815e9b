//! The one seam through which everything invokes functions, and what can come of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value as Json;
use tokio::time::timeout;

use super::environment::for_function;
use super::fleet::Fleet;
use super::pool::PoolLimits;
use super::process::Launch;
use super::remote::Remote;
use crate::console::Console;
use crate::endpoints::Endpoints;
use crate::template::Plan;
use crate::{Options, Settings};

/// An invocation without a result.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum InvokeError {
    /// The function ran and reported an error, or ended, or took longer than its own timeout.
    #[error("{message}")]
    Function { message: String },
    /// The caller's own time was over before the result was there.
    #[error("no result within the integration's timeout")]
    TimedOut,
    /// The function could not be run at all.
    #[error("{0}")]
    Unavailable(String),
}

/// The message with which an authorizer refuses a caller: an answer, no fault.
pub(crate) const UNAUTHORIZED: &str = "Unauthorized";

/// Where functions run.
#[derive(Debug)]
enum Backend {
    /// As child processes of the gateway.
    Processes(Fleet),
    /// Behind another Lambda endpoint.
    Remote(Remote),
}

/// Runs functions, and tells the console of every invocation that failed.
#[derive(Debug)]
pub(crate) struct Invoker {
    backend: Backend,
    console: Arc<Console>,
}

impl Invoker {
    /// Starts the functions of `plan`, whose binaries are in `directory`, or finds them elsewhere.
    pub(crate) async fn start(
        options: &Options,
        settings: &Settings,
        plan: &Plan,
        directory: &Path,
        endpoints: &Endpoints,
        console: &Arc<Console>,
    ) -> anyhow::Result<Self> {
        let console = Arc::clone(console);
        if let Some(url) = &options.lambda_endpoint {
            let remote = Remote::new(url, plan.functions.values(), options.lambda_names)?;
            return Ok(Self { backend: Backend::Remote(remote), console });
        }
        let launches = plan.functions.values().map(|function| Launch {
            binary: directory.join(&function.binary),
            environment: for_function(function, settings, endpoints),
            gateway_program: settings.program.clone(),
            console: Arc::clone(&console),
            function: function.clone(),
        });
        let limits = PoolLimits {
            max: usize::from(options.max_concurrency),
            keep: 1,
            idle_for: Duration::from_secs(options.shrink_after),
        };
        let fleet = Fleet::start(launches.collect(), limits).await?;
        Ok(Self { backend: Backend::Processes(fleet), console })
    }

    /// Invokes `function` (a logical id) with `event`; the caller waits at most `patience`, queueing included.
    pub(crate) async fn invoke(
        &self,
        function: &str,
        event: &Json,
        patience: Duration,
    ) -> Result<Bytes, InvokeError> {
        let event = Bytes::from(event.to_string());
        let result = async {
            match &self.backend {
                Backend::Processes(fleet) => fleet.invoke(function, event).await,
                Backend::Remote(remote) => remote.invoke(function, event).await,
            }
        };
        let result = timeout(patience, result).await.unwrap_or(Err(InvokeError::TimedOut));
        match &result {
            Err(InvokeError::Function { message }) if message == UNAUTHORIZED => {}
            Err(failure) => self.console.warn(&format!("{function}: {failure}")),
            Ok(_) => {}
        }
        result
    }

    /// Ends what was started, after the invocations under way are over.
    pub(crate) async fn stop(&self) {
        if let Backend::Processes(fleet) = &self.backend {
            fleet.stop().await;
        }
    }
}
