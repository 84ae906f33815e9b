//! Fields of inbound frames. Each keeps its own error, so that frames are checked in a fixed order regardless of
//! field order, and so that the library's frames are read in spite of errors.

use std::fmt::Display;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::rejection::Rejection;

/// A field of type `T`; `null` counts as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// The field is not there.
    #[default]
    Absent,
    /// Its value.
    Valid(T),
    /// It is there, and its value is not a `T`.
    Malformed,
}

impl<T> Field<T> {
    /// Whether the field is there, valid or not.
    pub(crate) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The same field, malformed if its value does not satisfy `is_valid`.
    #[must_use]
    pub(crate) fn filter(self, is_valid: impl FnOnce(&T) -> bool) -> Self {
        match self {
            Self::Valid(value) if !is_valid(&value) => Self::Malformed,
            field => field,
        }
    }

    /// The value, if there is one. `demand` says what it must be, as in "must be a string".
    pub(crate) fn optional(self, name: &str, demand: impl Display) -> Result<Option<T>, Rejection> {
        match self {
            Self::Absent => Ok(None),
            Self::Valid(value) => Ok(Some(value)),
            Self::Malformed => Err(Rejection::invalid(name, demand)),
        }
    }

    /// The value.
    pub(crate) fn required(self, name: &str, demand: impl Display) -> Result<T, Rejection> {
        self.optional(name, demand)?.ok_or_else(|| Rejection::missing(name))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Option::<&RawValue>::deserialize(deserializer)?;
        Ok(json.map_or(Self::Absent, |json| {
            serde_json::from_str(json.get()).map_or(Self::Malformed, Self::Valid)
        }))
    }
}

/// Reads the JSON object `text`; `None` if it is not one. Serde alone would also read a struct from an array.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}
