//! What the `session` function must be told.

use nsl_aws::settings::{Misconfigured, Reader};

/// Names of tables and whose tokens are believed; endpoints, region and credentials are the SDK's own matter.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) apps_table: String,
    pub(crate) connections_table: String,
    pub(crate) reports_table: String,
    /// Secret of HS256 tokens; empty trusts none.
    pub(crate) token_secret: String,
    /// JWKS document of RS256 and ES256 tokens; empty trusts none.
    pub(crate) token_keys: String,
    /// Whom tokens must be for.
    pub(crate) token_audience: String,
}

impl Settings {
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Misconfigured> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            apps_table: reader.text("APPS_TABLE"),
            connections_table: reader.text("CONNECTIONS_TABLE"),
            reports_table: reader.text("REPORTS_TABLE"),
            token_secret: reader.optional("TOKEN_SECRET"),
            token_keys: reader.optional("TOKEN_KEYS"),
            token_audience: reader.text("TOKEN_AUDIENCE"),
        };
        reader.finish(settings)
    }
}
