//! What the `history` function must be told.

use nsl_aws::settings::{Misconfigured, Reader};
use nsl_domain::time::HOUR_MS;

/// Longest retention of raw reports, in hours: a month.
const MAX_RETENTION_HOURS: i64 = 720;

/// Names of tables, and how far back raw reports reach.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) apps_table: String,
    pub(crate) reports_table: String,
    pub(crate) retention_ms: i64,
}

impl Settings {
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            apps_table: reader.text("APPS_TABLE"),
            reports_table: reader.text("REPORTS_TABLE"),
            retention_ms: reader.number("RAW_RETENTION_HOURS", 1..=MAX_RETENTION_HOURS) * HOUR_MS,
        };
        reader.finish(settings)
    }
}
