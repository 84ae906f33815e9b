//! Names of the things that the service knows: applications, users, sources, connections, keys.
//!
//! Owns the one alphabet of ids. Refuses anything that could forge another's table key: no id holds a `#`.
//! Ruled by design.md §5.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::app::KeyHash;

/// Longest id in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// An id that is empty, longer than [`MAX_ID_BYTES`], or holds a character outside `[A-Za-z0-9_.:@-]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_ID_BYTES} characters of A-Z a-z 0-9 _ . : @ -")]
pub struct MalformedId;

fn is_id_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | ':' | '@' | '-')
}

fn checked(text: &str) -> Result<(), MalformedId> {
    let legal = !text.is_empty() && text.len() <= MAX_ID_BYTES && text.chars().all(is_id_character);
    if legal { Ok(()) } else { Err(MalformedId) }
}

/// Defines one id type: a checked string that cannot be mistaken for another kind of id.
macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` if it is a legal id.
            ///
            /// # Errors
            /// [`MalformedId`] when it is empty, too long, or has a character outside the alphabet.
            pub fn new(text: impl Into<String>) -> Result<Self, MalformedId> {
                let text = text.into();
                checked(&text)?;
                Ok(Self(text))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = MalformedId;
            fn try_from(text: String) -> Result<Self, MalformedId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

id! {
    /// An application: what publishers report for and viewers watch.
    AppId
}
id! {
    /// A person or account that owns applications.
    UserId
}
id! {
    /// The process that reports, by the name that it gives itself, or else its connection.
    Source
}
id! {
    /// Which of an application's keys opened a connection, so that revoking the key reaches it. Not a secret.
    KeyId
}

/// Hexadecimal digits of a key's hash that name the key: enough to tell an application's keys apart.
const KEY_ID_DIGITS: usize = 12;

impl KeyId {
    /// The id of the key with this hash.
    pub fn of_hash(hash: KeyHash) -> Self {
        Self(hash.to_hex().chars().take(KEY_ID_DIGITS).collect())
    }
}

impl Source {
    /// The source of a publisher that gives itself no name: its connection, with what an id may not hold
    /// left out at the end (the padding `=`) and replaced by `-` elsewhere.
    pub fn of_connection(connection: &ConnectionId) -> Self {
        let trimmed = connection.as_str().trim_end_matches('=');
        let name = trimmed.chars().map(|character| if is_id_character(character) { character } else { '-' });
        Self(name.take(MAX_ID_BYTES).collect())
    }
}

/// API Gateway's name for one WebSocket connection: opaque, base64-like, often ending in `=`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(String);

impl ConnectionId {
    /// Takes API Gateway's text as it is: it comes from no caller.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_the_library_and_of_hosts_are_legal() {
        for text in ["nehonix_11111111-2222-4333-8444-555555555555", "a", "host.example:8080", "me@home"] {
            assert_eq!(AppId::new(text).unwrap().as_str(), text);
        }
        assert!(AppId::new("x".repeat(MAX_ID_BYTES)).is_ok());
    }

    #[test]
    fn an_id_that_could_forge_a_key_is_refused() {
        for text in ["", "a#b", "a b", "é", "a\0b", "a/b", "a\"b"] {
            assert_eq!(AppId::new(text), Err(MalformedId), "{text:?}");
        }
        assert_eq!(AppId::new("x".repeat(MAX_ID_BYTES + 1)), Err(MalformedId));
    }

    #[test]
    fn a_source_is_made_of_any_connection_id() {
        assert_eq!(Source::of_connection(&ConnectionId::new("Z0ZM9cFLIAMCIuQ=")).as_str(), "Z0ZM9cFLIAMCIuQ");
        assert_eq!(Source::of_connection(&ConnectionId::new("a/b+c==")).as_str(), "a-b-c");
    }
}
