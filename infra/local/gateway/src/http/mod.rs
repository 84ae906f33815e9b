//! The HTTP front: routes, authorizers with their cache, CORS, and events of payload format 2.0.

mod authorize;
mod cache;
mod cors;
mod events;
mod listen;
mod response;
mod routes;

use std::sync::{Arc, Mutex};

use tokio_util::task::TaskTracker;

pub(crate) use listen::router;

use crate::lambda::Invoker;
use crate::template::{ACCOUNT_ID, HttpPlan};
use cache::AuthorizerCache;

/// What every request of the API shares.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) plan: HttpPlan,
    /// A prefix that is taken off paths, without a slash at the end.
    pub(crate) base_path: String,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) cache: Mutex<AuthorizerCache>,
    /// Invocations under way; a stop waits for them.
    pub(crate) tasks: TaskTracker,
}

impl Front {
    pub(crate) fn new(plan: HttpPlan, region: &str, base_path: &str, invoker: &Arc<Invoker>) -> Self {
        Self {
            region: region.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            plan,
            base_path: base_path.to_owned(),
            invoker: Arc::clone(invoker),
            cache: Mutex::default(),
            tasks: TaskTracker::new(),
        }
    }
}
