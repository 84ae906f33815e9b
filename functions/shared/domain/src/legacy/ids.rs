//! The ids of user and app that every frame of the library carries, and how they are written.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::frame::fields::Field;
use crate::ids::{AppId, UserId};

/// What the library proves its permission with, in its `auth` as in each of its frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryIds {
    /// The owner of the app.
    pub user: UserId,
    /// The app.
    pub app: AppId,
}

/// An id that may be sent as the number with its digits: users of the library configure either.
pub(crate) fn id_or_number<'de, D, I>(deserializer: D) -> Result<Field<I>, D::Error>
where
    D: Deserializer<'de>,
    I: TryFrom<String>,
{
    let Some(json) = Option::<&RawValue>::deserialize(deserializer)?.map(RawValue::get) else {
        return Ok(Field::Absent);
    };
    let is_number = json.starts_with(|first: char| first.is_ascii_digit());
    let text = if is_number { Some(json.to_owned()) } else { serde_json::from_str(json).ok() };
    Ok(text.and_then(|text| I::try_from(text).ok()).map_or(Field::Malformed, Field::Valid))
}
