//! The state of the WebSocket API that all of its connections share.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Registry;
use super::events::EventBuilder;
use crate::lambda::Invoker;
use crate::options::Options;
use crate::template::WebSocketPlan;

#[derive(Debug)]
pub(crate) struct WebSocketApi {
    pub(crate) events: EventBuilder,
    pub(crate) plan: WebSocketPlan,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) registry: Arc<Registry>,
    /// How long a connection may be without a message in either direction.
    pub(crate) idle_timeout: Duration,
    /// How long a connection may be open.
    pub(crate) max_duration: Duration,
    /// Connections and their invocations, which shutdown waits for.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the gateway stops: connections close with 1001.
    pub(crate) stop: CancellationToken,
}

impl WebSocketApi {
    pub(crate) fn new(
        plan: WebSocketPlan,
        region: &str,
        options: &Options,
        invoker: &Arc<Invoker>,
        registry: &Arc<Registry>,
        stop: &CancellationToken,
    ) -> Self {
        let (api_id, stage) = (plan.api_id.clone(), plan.stage.clone());
        Self {
            events: EventBuilder { region: region.to_owned(), api_id, stage },
            plan,
            invoker: Arc::clone(invoker),
            registry: Arc::clone(registry),
            idle_timeout: Duration::from_secs(options.idle_timeout),
            max_duration: Duration::from_secs(options.max_duration),
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        }
    }
}
