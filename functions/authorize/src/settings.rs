//! The settings of the `authorize` function.

use nsl_aws::origin_secret::OriginSecret;
use nsl_aws::settings::{Misconfigured, Reader, TokenSettings};

/// The table of apps, the origins whose pages may subscribe to legacy apps, what proves who the caller is, and where faults
/// are counted.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) apps_table: String,
    /// Exact origins, such as `https://dashboard.example`.
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) tokens: TokenSettings,
    /// Of the proxy in front of the APIs.
    pub(crate) origin_secret: OriginSecret,
    pub(crate) metrics_namespace: String,
}

impl Settings {
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            apps_table: reader.text("APPS_TABLE"),
            allowed_origins: reader.list("ALLOWED_ORIGINS"),
            tokens: reader.tokens(),
            origin_secret: reader.origin_secret(),
            metrics_namespace: reader.text("METRICS_NAMESPACE"),
        };
        reader.finish(settings)
    }
}
