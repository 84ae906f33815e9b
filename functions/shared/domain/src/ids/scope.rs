//! What a credential allows: a set of the words `publish`, `view` and `manage`.
//!
//! The written form of a set of `publish` and `view` is as old as the stored keys and grants: `publish`, `view`, `both`.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Which actions a credential allows: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(u8);

/// A text without a word of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scope has none of the words publish, view and manage")]
pub struct NoKnownWord;

impl Scope {
    /// Sending reports.
    pub const PUBLISH: Self = Self(1);
    /// Watching reports and reading history.
    pub const VIEW: Self = Self(2);
    /// Changing what belongs to an app: its rules, layouts, events and links.
    pub const MANAGE: Self = Self(4);
    /// Publishing and viewing.
    pub const BOTH: Self = Self::PUBLISH.with(Self::VIEW);

    /// The words.
    const WORDS: [(&'static str, Self); 3] =
        [("publish", Self::PUBLISH), ("view", Self::VIEW), ("manage", Self::MANAGE)];

    /// What one of the two allows.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it allows all that `other` does.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The scope of one word: `both` is publishing and viewing.
    pub fn of_word(word: &str) -> Option<Self> {
        let words = Self::WORDS.into_iter().chain([("both", Self::BOTH)]);
        words.into_iter().find(|(known, _)| *known == word).map(|(_, scope)| scope)
    }

    /// Its words, without `both`.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS.into_iter().filter(move |(_, scope)| self.contains(*scope)).map(|(word, _)| word)
    }

    /// The scope of the words in `text`, separated by blanks. Unknown words are ignored, because a token's issuer may add
    /// some for other services (RFC 8693 §4.2).
    ///
    /// # Errors
    /// [`NoKnownWord`] if no word is known.
    pub fn of_text(text: &str) -> Result<Self, NoKnownWord> {
        Self::of_texts([text])
    }

    /// The same of several texts.
    ///
    /// # Errors
    /// [`NoKnownWord`] if no word is known.
    pub fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NoKnownWord> {
        let words = texts.into_iter().flat_map(str::split_ascii_whitespace);
        words.filter_map(Self::of_word).reduce(Self::with).ok_or(NoKnownWord)
    }

    /// The words under which it is stored, separated by blanks.
    pub const fn as_str(self) -> &'static str {
        match (self.contains(Self::PUBLISH), self.contains(Self::VIEW), self.contains(Self::MANAGE)) {
            (true, true, false) => "both",
            (true, false, false) => "publish",
            (false, true, false) => "view",
            (true, true, true) => "publish view manage",
            (true, false, true) => "publish manage",
            (false, true, true) => "view manage",
            // The constructors make no empty set.
            (false, false, _) => "manage",
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Reads words separated by blanks, or a list of such texts.
impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = Scope;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("words of a scope")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Scope, E> {
        Scope::of_text(text).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scope, A::Error> {
        let mut texts: Vec<String> = Vec::new();
        while let Some(text) = list.next_element()? {
            texts.push(text);
        }
        Scope::of_texts(texts.iter().map(String::as_str)).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_written_forms_are_kept() {
        for (text, scope) in [("publish", Scope::PUBLISH), ("view", Scope::VIEW), ("both", Scope::BOTH)] {
            assert_eq!(Scope::of_text(text), Ok(scope));
            assert_eq!(serde_json::to_string(&scope).unwrap(), format!("{text:?}"));
        }
    }

    #[test]
    fn every_set_survives_its_text() {
        for bits in 1..8 {
            let scope = Scope(bits);
            assert_eq!(Scope::of_text(scope.as_str()), Ok(scope));
            assert_eq!(serde_json::from_str::<Scope>(&format!("{:?}", scope.as_str())).unwrap(), scope);
        }
    }

    #[test]
    fn words_are_separated_by_blanks_or_listed() {
        let managing_viewer = Scope::VIEW.with(Scope::MANAGE);
        for (json, scope) in [
            (r#""publish view""#, Scope::BOTH),
            (r#"" view\t publish\n""#, Scope::BOTH),
            (r#"["publish","view"]"#, Scope::BOTH),
            (r#"["openid","view manage"]"#, managing_viewer),
            (r#""openid profile manage view view""#, managing_viewer),
            (r#""both manage""#, Scope::BOTH.with(Scope::MANAGE)),
        ] {
            assert_eq!(serde_json::from_str::<Scope>(json).unwrap(), scope, "{json}");
        }
    }

    #[test]
    fn scope_without_known_word_is_malformed() {
        for json in
            [r#""""#, r#""openid profile""#, r#""View""#, r#""publish,view""#, "[]", "[1]", "7", "null"]
        {
            assert!(serde_json::from_str::<Scope>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn set_contains_its_own_words_only() {
        assert!(Scope::BOTH.contains(Scope::PUBLISH) && Scope::BOTH.contains(Scope::BOTH));
        assert!(!Scope::BOTH.contains(Scope::MANAGE) && !Scope::VIEW.contains(Scope::BOTH));
        assert!(!Scope::MANAGE.contains(Scope::VIEW) && !Scope::MANAGE.contains(Scope::PUBLISH));
    }
}
