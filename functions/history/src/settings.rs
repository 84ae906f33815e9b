//! The settings of the `history` function, from its environment.

use nsl_aws::origin_secret::OriginSecret;
use nsl_aws::settings::{Misconfigured, Reader};

/// Names of tables and metrics, the address of the WebSocket API, and the secret of the proxy in front of the APIs.
#[derive(Debug)]
pub struct Settings {
    /// The table of applications.
    pub apps_table: String,
    /// The table of raw reports.
    pub reports_table: String,
    /// The table of rollups.
    pub rollups_table: String,
    /// The table of log entries.
    pub logs_table: String,
    /// The address that the dashboard connects to.
    pub websocket_address: String,
    /// The CloudWatch namespace of the counters.
    pub metrics_namespace: String,
    /// The secret of the proxy in front of the APIs.
    pub origin_secret: OriginSecret,
}

impl Settings {
    /// Reads the settings from `lookup`, a name-to-value function.
    ///
    /// # Errors
    /// [`Misconfigured`] with every missing or invalid setting.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            apps_table: reader.text("APPS_TABLE"),
            reports_table: reader.text("REPORTS_TABLE"),
            rollups_table: reader.text("ROLLUPS_TABLE"),
            logs_table: reader.text("LOGS_TABLE"),
            websocket_address: reader.text("WEBSOCKET_ADDRESS"),
            metrics_namespace: reader.text("METRICS_NAMESPACE"),
            origin_secret: reader.origin_secret(),
        };
        reader.finish(settings)
    }
}
