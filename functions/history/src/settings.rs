//! What the `history` function must be told.

use nsl_aws::settings::{Misconfigured, Reader};

/// Names of tables, and where viewers connect.
#[derive(Debug)]
pub struct Settings {
    /// Where the applications are.
    pub apps_table: String,
    /// Where the raw reports are.
    pub reports_table: String,
    /// Where the rollups are.
    pub rollups_table: String,
    /// Where the library's log entries are.
    pub logs_table: String,
    /// The WebSocket API, which the dashboard is told.
    pub websocket_address: String,
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
            logs_table: reader.text("LOGS_TABLE"),
            websocket_address: reader.text("WEBSOCKET_ADDRESS"),
        };
        reader.finish(settings)
    }
}
