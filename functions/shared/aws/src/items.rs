//! Items to values and back: one attribute at a time, with an error that names it.
//!
//! Missing, of the wrong type and unparsable look different here, because they mean different mistakes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use nsl_domain::time::TimestampMs;

use crate::fault::{Fault, Kind};
use crate::keys;

/// A DynamoDB row.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// What is wrong with an attribute of an item.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadAttribute {
    /// It is not there.
    #[error("attribute {0} is missing")]
    Missing(&'static str),
    /// It is there, of another type.
    #[error("attribute {0} has the wrong type")]
    WrongType(&'static str),
    /// It is of the right type and says nothing that is understood.
    #[error("attribute {0} cannot be read")]
    Unreadable(&'static str),
}

impl BadAttribute {
    /// The fault of an item that was met when attempting `attempt`.
    pub(crate) fn into_fault(self, attempt: &'static str) -> Fault {
        Fault { kind: Kind::Corrupt, attempt, source: Some(Box::new(self)) }
    }
}

/// A text attribute.
pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub(crate) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn attribute<'a>(item: &'a Item, name: &'static str) -> Result<&'a AttributeValue, BadAttribute> {
    item.get(name).ok_or(BadAttribute::Missing(name))
}

/// The text of `name`.
pub(crate) fn read_text<'a>(item: &'a Item, name: &'static str) -> Result<&'a str, BadAttribute> {
    let text = attribute(item, name)?.as_s().map_err(|_| BadAttribute::WrongType(name))?;
    Ok(text)
}

/// The text of `name`, made into a `T`.
pub(crate) fn read_id<T: TryFrom<String>>(item: &Item, name: &'static str) -> Result<T, BadAttribute> {
    T::try_from(read_text(item, name)?.to_owned()).map_err(|_| BadAttribute::Unreadable(name))
}

/// The number `name`.
pub(crate) fn read_number<N: std::str::FromStr>(item: &Item, name: &'static str) -> Result<N, BadAttribute> {
    let digits = attribute(item, name)?.as_n().map_err(|_| BadAttribute::WrongType(name))?;
    digits.parse().map_err(|_| BadAttribute::Unreadable(name))
}

/// The bytes of `name`.
pub(crate) fn read_bytes<'a>(item: &'a Item, name: &'static str) -> Result<&'a [u8], BadAttribute> {
    let bytes = attribute(item, name)?.as_b().map_err(|_| BadAttribute::WrongType(name))?;
    Ok(bytes.as_ref())
}

/// Whether a row is past its age at `now`, though DynamoDB has not deleted it yet.
pub(crate) fn is_past_age(item: &Item, now: TimestampMs) -> Result<bool, BadAttribute> {
    Ok(read_number::<i64>(item, keys::EXPIRES_AT)? <= now.seconds())
}

/// The truth value `name`.
pub(crate) fn read_flag(item: &Item, name: &'static str) -> Result<bool, BadAttribute> {
    attribute(item, name)?.as_bool().copied().map_err(|_| BadAttribute::WrongType(name))
}

/// The list `name`.
pub(crate) fn read_list<'a>(
    item: &'a Item,
    name: &'static str,
) -> Result<&'a [AttributeValue], BadAttribute> {
    let list = attribute(item, name)?.as_l().map_err(|_| BadAttribute::WrongType(name))?;
    Ok(list)
}

/// The map `name`.
pub(crate) fn read_map<'a>(item: &'a Item, name: &'static str) -> Result<&'a Item, BadAttribute> {
    attribute(item, name)?.as_m().map_err(|_| BadAttribute::WrongType(name))
}

/// The same for an attribute that may be absent.
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
    fn missing_wrong_and_unreadable_are_told_apart() {
        let item = Item::from([("a".to_owned(), text("x")), ("b".to_owned(), AttributeValue::N("y".into()))]);
        assert_eq!(read_text(&item, "a"), Ok("x"));
        assert_eq!(read_number::<u8>(&item, "c"), Err(BadAttribute::Missing("c")));
        assert_eq!(read_number::<u8>(&item, "a"), Err(BadAttribute::WrongType("a")));
        assert_eq!(read_number::<u8>(&item, "b"), Err(BadAttribute::Unreadable("b")));
        assert_eq!(optional(read_text(&item, "c")), Ok(None));
    }
}
