//! What the `history` function must be told.

use nsl_aws::settings::{Misconfigured, Reader};

/// Names of tables, and where viewers connect.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) apps_table: String,
    pub(crate) reports_table: String,
    pub(crate) rollups_table: String,
    /// The WebSocket API, which the dashboard is told.
    pub(crate) websocket_address: String,
}

impl Settings {
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            apps_table: reader.text("APPS_TABLE"),
            reports_table: reader.text("REPORTS_TABLE"),
            rollups_table: reader.text("ROLLUPS_TABLE"),
            websocket_address: reader.text("WEBSOCKET_ADDRESS"),
        };
        reader.finish(settings)
    }
}
