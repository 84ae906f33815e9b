//! Ids of apps, users, sources, connections and keys, and what a key allows.
//!
//! Ids have one alphabet, without `#`, so that no id can forge another table key.

mod scope;
mod subject;

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use scope::{NoKnownWord, Scope};
pub use subject::{MAX_SUBJECT_BYTES, MalformedSubject, Subject};

/// Longest id in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// An id that is empty, longer than [`MAX_ID_BYTES`], or has a character outside `[A-Za-z0-9_.:@-]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_ID_BYTES} characters of A-Z a-z 0-9 _ . : @ -")]
pub struct MalformedId;

impl MalformedId {
    fn check(text: &str) -> Result<(), Self> {
        let legal = !text.is_empty() && text.len() <= MAX_ID_BYTES && text.chars().all(is_id_character);
        if legal { Ok(()) } else { Err(Self) }
    }
}

/// A [`MalformedId`], or `.` or `..`: the id of an app is a segment of paths, and clients remove these, also
/// percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_ID_BYTES} characters of A-Z a-z 0-9 _ . : @ -, and not . or ..")]
pub struct MalformedAppId;

impl MalformedAppId {
    fn check(text: &str) -> Result<(), Self> {
        if [".", ".."].contains(&text) { Err(Self) } else { MalformedId::check(text).map_err(|_| Self) }
    }
}

fn is_id_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | ':' | '@' | '-')
}

/// Defines one id type: a checked string that cannot be mistaken for another kind of id.
macro_rules! id {
    ($(#[$meta:meta])* $name:ident or $malformed:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` if it is a legal id.
            ///
            /// # Errors
            #[doc = concat!("[`", stringify!($malformed), "`].")]
            pub fn new(text: impl Into<String>) -> Result<Self, $malformed> {
                let text = text.into();
                $malformed::check(&text)?;
                Ok(Self(text))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// An id written in the source, which the caller checked.
            #[allow(dead_code, reason = "not every kind of id has an example")]
            pub(crate) fn literal(text: &'static str) -> Self {
                Self(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = $malformed;
            fn try_from(text: String) -> Result<Self, $malformed> {
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
    /// An app: what publishers report for and viewers subscribe to.
    AppId or MalformedAppId
}

impl AppId {
    /// The id of a stored app, which may have been created before `.` and `..` were reserved.
    ///
    /// # Errors
    /// [`MalformedId`].
    pub fn stored(text: impl Into<String>) -> Result<Self, MalformedId> {
        let text = text.into();
        MalformedId::check(&text)?;
        Ok(Self(text))
    }
}

id! {
    /// A person or account that owns apps.
    UserId or MalformedId
}
id! {
    /// The process that reports: the name that it sends, or else its connection.
    Source or MalformedId
}
id! {
    /// Which of an app's keys opened a connection, so that revoking the key reaches it. Not a secret.
    KeyId or MalformedId
}

/// SHA-256 of an API key: what is stored of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// The hash of a key's text.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// 64 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads what [`KeyHash::to_hex`] writes; `None` for any other text.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// Shows the first digits only: enough to distinguish two in a log.
impl std::fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [first, second, third, ..] = self.0;
        write!(formatter, "KeyHash({first:02x}{second:02x}{third:02x}..)")
    }
}

/// Hexadecimal digits of a key's hash that name the key: enough to distinguish the keys of an app.
const KEY_ID_DIGITS: usize = 12;

impl KeyId {
    /// The id of the key with this hash.
    pub fn of_hash(hash: KeyHash) -> Self {
        Self(hash.to_hex().chars().take(KEY_ID_DIGITS).collect())
    }
}

impl Source {
    /// The source of a publisher that sends no name: its connection without the padding `=`, and with `:` and the code
    /// for other characters that an id may not have, so that no two connections are one source.
    pub fn of_connection(connection: &ConnectionId) -> Self {
        let trimmed = connection.as_str().trim_end_matches('=');
        let mut name = String::new();
        for character in trimmed.chars() {
            if is_id_character(character) {
                name.push(character);
            } else {
                // Writing to a `String` cannot fail.
                let _ = write!(name, ":{:x}", u32::from(character));
            }
        }
        name.truncate(MAX_ID_BYTES);
        Self(name)
    }
}

/// API Gateway's id of one WebSocket connection: opaque, base64-like, often ending in `=`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(String);

impl ConnectionId {
    /// Takes API Gateway's text unchecked: it comes from no caller.
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
    fn library_ids_and_host_names_are_legal() {
        for text in ["nehonix_11111111-2222-4333-8444-555555555555", "a", "host.example:8080", "me@home"] {
            assert_eq!(AppId::new(text).unwrap().as_str(), text);
        }
        assert!(AppId::new("x".repeat(MAX_ID_BYTES)).is_ok());
    }

    #[test]
    fn id_outside_the_alphabet_is_malformed() {
        for text in ["", "a#b", "a b", "é", "a\0b", "a/b", "a\"b"] {
            assert_eq!(AppId::new(text), Err(MalformedAppId), "{text:?}");
        }
        assert_eq!(AppId::new("x".repeat(MAX_ID_BYTES + 1)), Err(MalformedAppId));
    }

    #[test]
    fn app_that_no_path_can_name_is_malformed() {
        for text in [".", ".."] {
            assert_eq!(AppId::new(text), Err(MalformedAppId), "{text}");
            assert!(serde_json::from_value::<AppId>(text.into()).is_err());
            assert_eq!(AppId::stored(text).unwrap().as_str(), text);
            assert!(Source::new(text).is_ok());
        }
        assert!(["...", ".a", "a.", "..a"].iter().all(|text| AppId::new(*text).is_ok()));
    }

    #[test]
    fn key_hash_survives_its_hexadecimal_form() {
        let hash = KeyHash::of("nehonix@00.nsl");
        assert_eq!(KeyHash::from_hex(&hash.to_hex()), Some(hash));
        for text in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(KeyHash::from_hex(text), None, "{text:?}");
        }
    }

    #[test]
    fn debug_output_of_a_key_hash_is_cut() {
        assert!(format!("{:?}", KeyHash::of("secret")).len() < 24);
    }

    #[test]
    fn source_is_made_of_any_connection_id() {
        assert_eq!(Source::of_connection(&ConnectionId::new("Z0ZM9cFLIAMCIuQ=")).as_str(), "Z0ZM9cFLIAMCIuQ");
        assert_eq!(Source::of_connection(&ConnectionId::new("a/b+c==")).as_str(), "a:2fb:2bc");
    }
}
