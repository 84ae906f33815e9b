//! Settings of the `ingest` function.

use nsl_aws::settings::{Misconfigured, Reader};
use nsl_domain::rollup::{MAX_RAW_HOURS, MIN_RAW_HOURS};
use nsl_domain::time::HOUR_MS;

/// Names of tables, and how long raw reports are kept.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) apps_table: String,
    pub(crate) connections_table: String,
    pub(crate) reports_table: String,
    pub(crate) metrics_namespace: String,
    pub(crate) retention_ms: i64,
}

impl Settings {
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            apps_table: reader.text("APPS_TABLE"),
            connections_table: reader.text("CONNECTIONS_TABLE"),
            reports_table: reader.text("REPORTS_TABLE"),
            metrics_namespace: reader.text("METRICS_NAMESPACE"),
            retention_ms: reader.number("RAW_RETENTION_HOURS", MIN_RAW_HOURS..=MAX_RAW_HOURS) * HOUR_MS,
        };
        reader.finish(settings)
    }
}
