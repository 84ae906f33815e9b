//! What the `rollup` function must be told.

use nsl_aws::settings::{Misconfigured, Reader};
use nsl_domain::rollup::Retention;
use nsl_domain::time::HOUR_MS;

/// Longest retention of raw reports, in hours: a month.
const MAX_RETENTION_HOURS: i64 = 720;

/// Shortest: reports may be that late.
const MIN_RETENTION_HOURS: i64 = 48;

/// Names of tables, and how long what is in them is kept.
#[derive(Debug)]
pub struct Settings {
    /// Where the applications are.
    pub apps_table: String,
    /// Where the raw reports are.
    pub reports_table: String,
    /// Where the rollups go.
    pub rollups_table: String,
    /// How long each is kept, where an application says nothing else.
    pub retention: Retention,
}

impl Settings {
    /// Reads the settings from `lookup`.
    ///
    /// # Errors
    /// [`Misconfigured`] with everything that is missing or wrong.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            apps_table: reader.text("APPS_TABLE"),
            reports_table: reader.text("REPORTS_TABLE"),
            rollups_table: reader.text("ROLLUPS_TABLE"),
            retention: Retention {
                raw_ms: reader.number("RAW_RETENTION_HOURS", MIN_RETENTION_HOURS..=MAX_RETENTION_HOURS)
                    * HOUR_MS,
                ..Retention::default()
            },
        };
        reader.finish(settings)
    }
}
