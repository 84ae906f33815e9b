//! API keys and tokens.

/// A credential. Its `Debug` hides the text.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// An API key of one application.
    Key(String),
    /// A signed token for one or several applications.
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
