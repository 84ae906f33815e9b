//! API keys and tokens.

use serde::Serialize;

/// A credential, serialised as a field of the `auth` frame. Its `Debug` hides the text.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub enum Credential {
    /// An API key of one app.
    #[serde(rename = "apiKey")]
    Key(String),
    /// A signed token for one or several apps.
    #[serde(rename = "token")]
    Token(String),
}

impl Credential {
    /// The text that is sent.
    pub fn text(&self) -> &str {
        match self {
            Self::Key(text) | Self::Token(text) => text,
        }
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Key(_) => "Key(hidden)",
            Self::Token(_) => "Token(hidden)",
        })
    }
}
