//! Whom a credential identifies.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::UserId;

/// Longest subject in bytes. Issuers of tokens use names of their own, such as `auth0|5f7c8ec7c33c6c004bbafe82`.
pub const MAX_SUBJECT_BYTES: usize = 256;

/// A subject that is empty, longer than [`MAX_SUBJECT_BYTES`], or has control characters. Those could forge lines where it
/// is shown, and take six bytes each in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a text of 1 to {MAX_SUBJECT_BYTES} bytes without control characters")]
pub struct MalformedSubject;

/// Whom a credential identifies: the owner of the app, or the `sub` of a token. That is opaque text of the issuer, which is
/// passed on unchanged and never compared with an id: another issuer may give the same name to another person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subject(String);

impl Subject {
    /// Takes `text` if it is a subject.
    ///
    /// # Errors
    /// [`MalformedSubject`] when it is empty or too long, or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, MalformedSubject> {
        let text = text.into();
        let is_legal = (1..=MAX_SUBJECT_BYTES).contains(&text.len()) && !text.contains(char::is_control);
        if is_legal { Ok(Self(text)) } else { Err(MalformedSubject) }
    }

    /// The text, as the issuer wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Subject {
    type Error = MalformedSubject;
    fn try_from(text: String) -> Result<Self, MalformedSubject> {
        Self::new(text)
    }
}

/// An id is shorter than a subject may be.
impl From<UserId> for Subject {
    fn from(user: UserId) -> Self {
        Self(user.into())
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_is_any_text_of_up_to_256_bytes() {
        for text in
            ["auth0|5f7c8ec7c33c6c004bbafe82", "https://issuer.example/users/7?a=b#c", "Zoë \u{1f600}", "a b"]
        {
            assert_eq!(Subject::new(text).unwrap().as_str(), text);
        }
        assert!(Subject::new("x".repeat(MAX_SUBJECT_BYTES)).is_ok());
        let long = ["x".repeat(MAX_SUBJECT_BYTES + 1), "é".repeat(MAX_SUBJECT_BYTES / 2 + 1)];
        for text in long.iter().map(String::as_str).chain(["", "a\0", "a\nb", "\u{1b}[2J", "\u{85}"]) {
            assert_eq!(Subject::new(text), Err(MalformedSubject), "{text:?}");
        }
    }
}
