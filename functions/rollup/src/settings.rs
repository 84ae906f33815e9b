//! The environment variables of the `rollup` function.

use nsl_aws::settings::{Misconfigured, Reader};
use nsl_domain::rollup::{MAX_RAW_HOURS, MIN_RAW_HOURS, Retention};
use nsl_domain::time::HOUR_MS;

/// Names of tables and metrics, and the retention of what is in the tables.
#[derive(Debug)]
pub struct Settings {
    /// The table of applications.
    pub apps_table: String,
    /// The table of raw reports.
    pub reports_table: String,
    /// The table of rollups.
    pub rollups_table: String,
    /// The default retention, which an application may override.
    pub retention: Retention,
    /// The CloudWatch namespace of the counters.
    pub metrics_namespace: String,
}

impl Settings {
    /// Reads the settings from `lookup`.
    ///
    /// # Errors
    /// [`Misconfigured`] with everything that is missing or invalid.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            apps_table: reader.text("APPS_TABLE"),
            reports_table: reader.text("REPORTS_TABLE"),
            rollups_table: reader.text("ROLLUPS_TABLE"),
            retention: Retention {
                raw_ms: reader.number("RAW_RETENTION_HOURS", MIN_RAW_HOURS..=MAX_RAW_HOURS) * HOUR_MS,
                ..Retention::default()
            },
            metrics_namespace: reader.text("METRICS_NAMESPACE"),
        };
        reader.finish(settings)
    }
}
