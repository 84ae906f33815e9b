//! The state that all connections of a run share.

use crate::delivery_log::DeliveryLog;
use crate::plan::Plan;
use crate::target::Target;
use parking_lot::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One run of the load generator.
#[derive(Debug)]
pub(crate) struct Run {
    /// Longest wait for a reply or a delivery.
    pub(crate) timeout: Duration,
    source_prefix: String,
    log: Mutex<DeliveryLog>,
    is_ending: AtomicBool,
}

impl Run {
    /// A run whose sources contain `name`.
    pub(crate) fn new(plan: Plan, target: &Target, name: &str, timeout: Duration) -> Self {
        let source_prefix = format!("load-{name}-");
        let app_ids = target.apps.iter().map(|app| app.app_id.clone()).collect();
        let log = Mutex::new(DeliveryLog::new(plan, app_ids, source_prefix.clone()));
        Self { timeout, source_prefix, log, is_ending: AtomicBool::new(false) }
    }

    /// The deliveries so far.
    pub(crate) fn log(&self) -> MutexGuard<'_, DeliveryLog> {
        self.log.lock()
    }

    /// The source that publisher `index` reports as.
    pub(crate) fn source(&self, index: usize) -> String {
        format!("{}{index}", self.source_prefix)
    }

    /// From now on a closed connection is not a failure.
    pub(crate) fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }
}
