//! DynamoDB attributes to values and back, one at a time, with errors that name the attribute.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use nsl_domain::ids::AppId;
use nsl_domain::time::TimestampMs;

use crate::fault::{Fault, Kind};

/// A DynamoDB item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Why an attribute of an item cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadAttribute {
    #[error("attribute {0} is missing")]
    Missing(&'static str),
    #[error("attribute {0} has the wrong type")]
    WrongType(&'static str),
    /// Of the right type, with an invalid value.
    #[error("attribute {0} cannot be read")]
    Unreadable(&'static str),
}

impl BadAttribute {
    /// The fault of an item that was read when attempting `attempt`.
    pub(crate) fn into_fault(self, attempt: &'static str) -> Fault {
        Fault { kind: Kind::Corrupt, attempt, source: Some(Box::new(self)) }
    }
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn attribute<'a>(item: &'a Item, name: &'static str) -> Result<&'a AttributeValue, BadAttribute> {
    item.get(name).ok_or(BadAttribute::Missing(name))
}

pub(crate) fn read_text<'a>(item: &'a Item, name: &'static str) -> Result<&'a str, BadAttribute> {
    let text = attribute(item, name)?.as_s().map_err(|_| BadAttribute::WrongType(name))?;
    Ok(text)
}

/// The text of `name`, parsed as a `T`.
pub(crate) fn read_id<T: TryFrom<String>>(item: &Item, name: &'static str) -> Result<T, BadAttribute> {
    T::try_from(read_text(item, name)?.to_owned()).map_err(|_| BadAttribute::Unreadable(name))
}

/// The app `name`.
pub(crate) fn read_app_id(item: &Item, name: &'static str) -> Result<AppId, BadAttribute> {
    AppId::stored(read_text(item, name)?).map_err(|_| BadAttribute::Unreadable(name))
}

pub(crate) fn read_number<N: std::str::FromStr>(item: &Item, name: &'static str) -> Result<N, BadAttribute> {
    let digits = attribute(item, name)?.as_n().map_err(|_| BadAttribute::WrongType(name))?;
    digits.parse().map_err(|_| BadAttribute::Unreadable(name))
}

/// The time `name`, in milliseconds since 1970.
pub(crate) fn read_time(item: &Item, name: &'static str) -> Result<TimestampMs, BadAttribute> {
    TimestampMs::try_from(read_number::<i64>(item, name)?).map_err(|_| BadAttribute::Unreadable(name))
}

pub(crate) fn read_bytes<'a>(item: &'a Item, name: &'static str) -> Result<&'a [u8], BadAttribute> {
    let bytes = attribute(item, name)?.as_b().map_err(|_| BadAttribute::WrongType(name))?;
    Ok(bytes.as_ref())
}

pub(crate) fn read_bool(item: &Item, name: &'static str) -> Result<bool, BadAttribute> {
    attribute(item, name)?.as_bool().copied().map_err(|_| BadAttribute::WrongType(name))
}

pub(crate) fn read_list<'a>(
    item: &'a Item,
    name: &'static str,
) -> Result<&'a [AttributeValue], BadAttribute> {
    let list = attribute(item, name)?.as_l().map_err(|_| BadAttribute::WrongType(name))?;
    Ok(list)
}

pub(crate) fn read_map<'a>(item: &'a Item, name: &'static str) -> Result<&'a Item, BadAttribute> {
    attribute(item, name)?.as_m().map_err(|_| BadAttribute::WrongType(name))
}

/// `read`, with `None` for an attribute that is missing.
pub(crate) fn optional<T>(read: Result<T, BadAttribute>) -> Result<Option<T>, BadAttribute> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(BadAttribute::Missing(_)) => Ok(None),
        Err(bad) => Err(bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_wrong_and_unreadable_attributes_differ() {
        let item = Item::from([("a".to_owned(), text("x")), ("b".to_owned(), AttributeValue::N("y".into()))]);
        assert_eq!(read_text(&item, "a"), Ok("x"));
        assert_eq!(read_number::<u8>(&item, "c"), Err(BadAttribute::Missing("c")));
        assert_eq!(read_number::<u8>(&item, "a"), Err(BadAttribute::WrongType("a")));
        assert_eq!(read_number::<u8>(&item, "b"), Err(BadAttribute::Unreadable("b")));
        assert_eq!(optional(read_text(&item, "c")), Ok(None));
    }
}
