//! One event source mapping: what the delivery of its shards needs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::console::Console;
use crate::dynamodb::Client;
use crate::lambda::Invoker;
use crate::template::{Function, StreamPlan};

/// The index of the region in an ARN.
const REGION_PART: usize = 3;

#[derive(Debug)]
pub(crate) struct EventSourceMapping {
    pub(crate) plan: StreamPlan,
    pub(crate) function: Function,
    pub(crate) client: Client,
    pub(crate) region: String,
    pub(crate) chaos_seed: Option<u64>,
    /// The file for discarded records.
    pub(crate) on_failure: Option<PathBuf>,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) console: Arc<Console>,
    /// Whether discarded records were reported on the console.
    pub(crate) has_warned: AtomicBool,
}

impl EventSourceMapping {
    /// A stream's ARN with the functions' region, because local engines use a region of their own.
    pub(crate) fn local_arn(&self, stream_arn: &str) -> String {
        let parts = stream_arn.split(':').enumerate();
        let parts = parts.map(|(index, part)| if index == REGION_PART { self.region.as_str() } else { part });
        parts.collect::<Vec<_>>().join(":")
    }

    /// Prints a warning the first time only.
    pub(crate) fn warn_once(&self, line: impl FnOnce() -> String) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            self.console.warn(&line());
        }
    }
}
