//! Settings of the `session` function, from its environment.

use nsl_aws::settings::{Misconfigured, Reader, TokenSettings};

/// Table names and trusted token issuers. The SDK reads endpoints, region and credentials by itself.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) apps_table: String,
    pub(crate) connections_table: String,
    pub(crate) reports_table: String,
    pub(crate) rollups_table: String,
    pub(crate) logs_table: String,
    pub(crate) metrics_namespace: String,
    pub(crate) tokens: TokenSettings,
}

impl Settings {
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            apps_table: reader.text("APPS_TABLE"),
            connections_table: reader.text("CONNECTIONS_TABLE"),
            reports_table: reader.text("REPORTS_TABLE"),
            rollups_table: reader.text("ROLLUPS_TABLE"),
            logs_table: reader.text("LOGS_TABLE"),
            metrics_namespace: reader.text("METRICS_NAMESPACE"),
            tokens: reader.tokens(),
        };
        reader.finish(settings)
    }
}
