//! The state of the HTTP API: its plan, the invoker, and the cache of authorizer results.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use super::cache::AuthorizerCache;
use crate::lambda::Invoker;
use crate::template::HttpPlan;

#[derive(Debug)]
pub(crate) struct HttpApi {
    pub(crate) region: String,
    pub(crate) plan: HttpPlan,
    /// A prefix that is removed from paths, without a slash at the end.
    pub(crate) base_path: String,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) authorizer_cache: Mutex<AuthorizerCache>,
    /// Requests and their invocations, which shutdown waits for.
    pub(crate) tasks: TaskTracker,
}

impl HttpApi {
    pub(crate) fn new(plan: HttpPlan, region: &str, base_path: &str, invoker: &Arc<Invoker>) -> Self {
        Self {
            region: region.to_owned(),
            plan,
            base_path: base_path.to_owned(),
            invoker: Arc::clone(invoker),
            authorizer_cache: Mutex::new(AuthorizerCache::new()),
            tasks: TaskTracker::new(),
        }
    }
}
