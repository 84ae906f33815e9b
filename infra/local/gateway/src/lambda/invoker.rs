//! Invokes functions: in processes of the gateway's own, or through another Lambda endpoint.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use serde_json::Value as Json;
use tokio::time::timeout;

use super::environment::process_environment;
use super::error::{InvokeError, UNAUTHORIZED};
use super::pool::{Pool, PoolLimits};
use super::process::Launch;
use super::remote::RemoteLambda;
use crate::console::Console;
use crate::endpoints::Endpoints;
use crate::options::Options;
use crate::settings::Settings;
use crate::template::Plan;

#[derive(Debug)]
enum Backend {
    /// Child processes of the gateway, by the function's logical id.
    Processes(BTreeMap<String, Arc<Pool>>),
    Remote(RemoteLambda),
}

/// Invokes functions, and prints a warning for each invocation that failed.
#[derive(Debug)]
pub(crate) struct Invoker {
    backend: Backend,
    console: Arc<Console>,
}

impl Invoker {
    /// Starts one process of each function of `plan`, whose binaries are in `directory`; none for a remote endpoint.
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
            let remote = RemoteLambda::new(url, plan.functions.values(), options.lambda_names)?;
            return Ok(Self { backend: Backend::Remote(remote), console });
        }
        let limits =
            PoolLimits { max: options.max_concurrency, idle_for: Duration::from_secs(options.shrink_after) };
        let pools = plan.functions.iter().map(async |(id, function)| {
            let launch = Launch {
                binary: directory.join(&function.binary),
                environment: process_environment(function, settings, endpoints),
                gateway_program: settings.program.clone(),
                console: Arc::clone(&console),
                function: function.clone(),
            };
            let pool = Pool::start(launch, limits).await;
            pool.map(|pool| (id.clone(), pool))
                .map_err(|error| anyhow::anyhow!("function {id} failed to start: {error}"))
        });
        let pools = try_join_all(pools).await?.into_iter().collect();
        Ok(Self { backend: Backend::Processes(pools), console })
    }

    /// Invokes the function with this logical id; the caller waits at most `limit`, queueing included.
    pub(crate) async fn invoke(
        &self,
        function: &str,
        event: &Json,
        limit: Duration,
    ) -> Result<Bytes, InvokeError> {
        let event = Bytes::from(event.to_string());
        let result = async {
            match &self.backend {
                Backend::Processes(pools) => match pools.get(function) {
                    Some(pool) => pool.invoke(event).await,
                    None => Err(InvokeError::Unavailable("no such function".to_owned())),
                },
                Backend::Remote(remote) => remote.invoke(function, event).await,
            }
        };
        let result = timeout(limit, result).await.unwrap_or(Err(InvokeError::TimedOut));
        match &result {
            Err(InvokeError::Function { message }) if message == UNAUTHORIZED => {}
            Err(error) => self.console.warn(&format!("{function}: {error}")),
            Ok(_) => {}
        }
        result
    }

    /// Ends all processes after their invocations.
    pub(crate) async fn stop(&self) {
        match &self.backend {
            Backend::Processes(pools) => drop(join_all(pools.values().map(|pool| pool.stop())).await),
            Backend::Remote(_) => {}
        }
    }
}
