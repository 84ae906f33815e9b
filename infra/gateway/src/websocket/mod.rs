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
pub(crate) use events::Api;
pub(crate) use listen::router;
pub(crate) use registry::{Closing, Live, Registry};

use crate::lambda::Invoker;
use crate::template::WebSocketPlan;

/// How long connections may last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    /// Without a message in either direction.
    pub(crate) idle: Duration,
    /// In all.
    pub(crate) total: Duration,
}

/// What every connection of the API shares.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) api: Api,
    pub(crate) plan: WebSocketPlan,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) lifetimes: Lifetimes,
    /// Every connection and every invocation under way; a stop waits for them.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the gateway stops: connections close with 1001.
    pub(crate) stop: CancellationToken,
}
