//! The WebSocket front: handshakes, connections, route selection and events, as API Gateway does them.

mod authorize;
mod close;
mod connection;
mod events;
mod listen;
mod message;
mod registry;
mod select;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use close::MAX_MESSAGE_BYTES;
pub(crate) use listen::router;
pub(crate) use registry::{Closing, Live, Registry};

use events::Api;

use crate::Options;
use crate::lambda::Invoker;
use crate::template::{ACCOUNT_ID, WebSocketPlan};

/// How long connections may last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    /// Without a message in either direction.
    pub(crate) idle: Duration,
    /// In all.
    pub(crate) total: Duration,
}

impl Lifetimes {
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            idle: Duration::from_secs(options.idle_timeout),
            total: Duration::from_secs(options.max_duration),
        }
    }
}

/// What every connection of the API shares.
#[derive(Debug)]
pub(crate) struct Gate {
    api: Api,
    pub(crate) plan: WebSocketPlan,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) lifetimes: Lifetimes,
    /// Every connection and every invocation under way; a stop waits for them.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the gateway stops: connections close with 1001.
    pub(crate) stop: CancellationToken,
}

impl Gate {
    pub(crate) fn new(
        plan: WebSocketPlan,
        region: &str,
        lifetimes: Lifetimes,
        invoker: &Arc<Invoker>,
        registry: &Arc<Registry>,
        stop: &CancellationToken,
    ) -> Self {
        let api = Api {
            region: region.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            api_id: plan.api_id.clone(),
            stage: plan.stage.clone(),
        };
        Self {
            api,
            plan,
            invoker: Arc::clone(invoker),
            registry: Arc::clone(registry),
            lifetimes,
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        }
    }
}
