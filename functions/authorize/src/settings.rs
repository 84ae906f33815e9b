//! What the `authorize` function must be told.

use nsl_aws::settings::{Misconfigured, Reader};

/// The applications' table, and the pages that may watch legacy applications.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) apps_table: String,
    /// Exact origins, such as `https://dashboard.example`.
    pub(crate) allowed_origins: Vec<String>,
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
            allowed_origins: reader.list("ALLOWED_ORIGINS"),
            token_secret: reader.optional("TOKEN_SECRET"),
            token_keys: reader.optional("TOKEN_KEYS"),
            token_audience: reader.text("TOKEN_AUDIENCE"),
        };
        reader.finish(settings)
    }
}
