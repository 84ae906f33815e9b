//! Fields of inbound frames. Each keeps its own error, so that frames are checked in a fixed order regardless of
//! field order, and so that the library's frames are read in spite of errors.

use std::fmt::Display;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::json_error::invalid_json;
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

/// Why a text is not the object that is expected.
#[derive(Debug)]
pub(crate) enum NotRead {
    /// It is another JSON value.
    NotAnObject,
    /// This field, which is read, is there more than once.
    Repeated(String),
    /// It is not JSON.
    NotJson(serde_json::Error),
}

impl NotRead {
    /// The rejection of the fields of a report or of `data`, whose fields are at `prefix`. The text has been found to be
    /// JSON as far as that shows without reading its strings.
    pub(crate) fn into_rejection(self, text: &str, prefix: &str, not_an_object: Rejection) -> Rejection {
        match self {
            Self::NotAnObject => not_an_object,
            Self::Repeated(name) => repeated(&format!("{prefix}{name}")),
            Self::NotJson(error) => invalid_json("data", text, &error),
        }
    }
}

/// The rejection of a field that is there more than once: which of its values is meant cannot be known.
pub(crate) fn repeated(field: &str) -> Rejection {
    Rejection::invalid(field, "is there more than once")
}

/// Reads the JSON object `text`. Serde alone would also read a struct from an array.
///
/// # Errors
/// [`NotRead`].
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, NotRead> {
    let read = serde_json::from_str(text);
    if !text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok() {
        return Err(NotRead::NotAnObject);
    }
    read.map_err(|error| match repeated_field(&error) {
        Some(name) => NotRead::Repeated(name),
        None => NotRead::NotJson(error),
    })
}

/// The field that serde found twice; it has no error kind for this, so a test pins the text.
fn repeated_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    Some(text.strip_prefix("duplicate field `")?.split_once('`')?.0.to_owned())
}
