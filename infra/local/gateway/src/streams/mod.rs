//! Event source mappings: deliver the records of table streams to functions, in batches.
//!
//! [`shard`], [`ordered_queue`] and [`batch_result`] decide without I/O what to deliver when; [`delivery`] does it for
//! one shard, [`discovery`] for one stream. [`reader`] and [`streams_api`] read from DynamoDB.

mod batch_result;
mod chaos;
mod checkpoints;
mod delivery;
mod discovery;
mod mapping;
mod on_failure;
mod ordered_queue;
mod reader;
mod record;
mod shard;
mod streams_api;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use self::checkpoints::Checkpoints;
use self::mapping::EventSourceMapping;
use crate::console::Console;
use crate::dynamodb::Client;
use crate::endpoints::Endpoints;
use crate::lambda::Invoker;
use crate::options::Options;
use crate::state::StateDir;
use crate::template::Plan;

/// How long batches in flight may take at shutdown. Those that take longer are delivered again at the next start.
const BATCHES_TIMEOUT: Duration = Duration::from_secs(5);

/// The running event source mappings.
#[derive(Debug)]
pub(crate) struct Streams {
    tasks: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Streams {
    /// Starts every mapping of the plan.
    pub(crate) fn start(
        plan: &Plan,
        options: &Options,
        endpoints: &Endpoints,
        state: &StateDir,
        invoker: &Arc<Invoker>,
        console: &Arc<Console>,
    ) -> anyhow::Result<Self> {
        let client = Client::new(&endpoints.dynamodb, &endpoints.region, &endpoints.access_key)?;
        let stop = CancellationToken::new();
        let mut tasks = Vec::new();
        for stream in &plan.streams {
            let Some(function) = plan.functions.get(&stream.function) else { continue };
            let mut stream = stream.clone();
            if let Some(seconds) = options.stream_window {
                stream.rules.window = Duration::from_secs(seconds);
            }
            let checkpoints = Checkpoints::open(state.file(&format!("stream-{}.json", stream.id)));
            let file = format!("on-failure-{}.jsonl", stream.function);
            let mapping = EventSourceMapping {
                on_failure: stream.on_failure.is_some().then(|| state.file(&file)),
                plan: stream,
                function: function.clone(),
                client: client.clone(),
                region: endpoints.region.clone(),
                chaos_seed: options.stream_chaos,
                invoker: Arc::clone(invoker),
                console: Arc::clone(console),
                has_warned: AtomicBool::new(false),
            };
            tasks.push(tokio::spawn(discovery::run(Arc::new(mapping), checkpoints, stop.clone())));
        }
        Ok(Self { tasks, stop })
    }

    /// Stops delivering new batches.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Stops, and waits for batches in flight; false if the time limit was reached first.
    pub(crate) async fn stop(self) -> bool {
        self.cancel();
        let aborts: Vec<AbortHandle> = self.tasks.iter().map(JoinHandle::abort_handle).collect();
        let all = async {
            for task in self.tasks {
                drop(task.await);
            }
        };
        let have_ended = tokio::time::timeout(BATCHES_TIMEOUT, all).await.is_ok();
        // The functions are ended next, which must not count as a failure of their batches.
        aborts.iter().for_each(AbortHandle::abort);
        have_ended
    }
}
