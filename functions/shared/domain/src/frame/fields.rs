//! Typed reading of one field at a time, so that each wrong one is named.
//!
//! Owns the sentences of `missing_field` and `invalid_field`. Refuses to guess: a number is no string.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ids::MalformedId;
use crate::rejection::Rejection;
use crate::time::TimestampMs;

/// Reads a JSON object into `T`; `None` when `text` is no JSON or no object. A derived `Deserialize` would also
/// take an array for a structure.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// A string.
pub(crate) fn text<'a>(field: &str, raw: &'a RawValue) -> Result<Cow<'a, str>, Rejection> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    let read: Result<Borrowed<'a>, _> = serde_json::from_str(raw.get());
    read.map(|text| text.0).map_err(|_| Rejection::invalid(field, "must be a string"))
}

/// A string that is a legal id of type `I`.
pub(crate) fn id<I: TryFrom<String, Error = MalformedId>>(
    field: &str,
    raw: &RawValue,
) -> Result<I, Rejection> {
    I::try_from(text(field, raw)?.into_owned()).map_err(|demand| Rejection::invalid(field, demand))
}

/// The same for a field that may not be absent.
pub(crate) fn required_id<I: TryFrom<String, Error = MalformedId>>(
    field: &str,
    raw: Option<&RawValue>,
) -> Result<I, Rejection> {
    id(field, raw.ok_or_else(|| Rejection::missing(field))?)
}

/// The same for an id that may be sent as the number that it spells, as the library's users may have configured it.
pub(crate) fn id_or_number<I: TryFrom<String, Error = MalformedId>>(
    field: &str,
    raw: &RawValue,
) -> Result<I, Rejection> {
    if raw.get().starts_with(|first: char| first.is_ascii_digit()) {
        return I::try_from(raw.get().to_owned()).map_err(|demand| Rejection::invalid(field, demand));
    }
    id(field, raw)
}

/// An instant: ISO 8601 with a zone, or milliseconds since 1970 (a fraction of one is cut off).
pub(crate) fn instant(field: &str, raw: &RawValue) -> Result<TimestampMs, Rejection> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Ms(i64),
        FractionalMs(f64),
        Iso(String),
    }
    /// Doubles hold every whole number below this, so the cast loses nothing.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let read = match serde_json::from_str(raw.get()) {
        Ok(Either::Ms(ms)) => TimestampMs::try_from(ms).ok(),
        Ok(Either::FractionalMs(ms)) if ms.abs() < EXACT => TimestampMs::try_from(ms.trunc() as i64).ok(),
        Ok(Either::Iso(text)) => TimestampMs::from_iso(&text).ok(),
        _ => None,
    };
    read.ok_or_else(|| Rejection::invalid(field, crate::time::MalformedTimestamp))
}

/// A whole number of milliseconds from 0 to `most`.
pub(crate) fn duration_ms(field: &str, raw: &RawValue, most: i64) -> Result<i64, Rejection> {
    match serde_json::from_str(raw.get()) {
        Ok(ms) if (0..=most).contains(&ms) => Ok(ms),
        _ => Err(Rejection::invalid(field, format_args!("must be 0 to {most} milliseconds"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.into()).unwrap()
    }

    #[test]
    fn an_instant_is_iso_or_milliseconds() {
        for (json, ms) in [
            ("1795352461387", Some(1_795_352_461_387)),
            ("1795352461387.9", Some(1_795_352_461_387)),
            ("\"2026-11-22T13:01:01.387Z\"", Some(1_795_352_461_387)),
            ("0", Some(0)),
            ("\"1795352461387\"", None),
            ("-1", None),
            ("1e300", None),
            ("true", None),
            ("{}", None),
        ] {
            assert_eq!(instant("t", &raw(json)).ok().map(TimestampMs::ms), ms, "{json}");
        }
    }

    #[test]
    fn a_string_with_escapes_is_a_string() {
        assert_eq!(text("t", &raw("\"a\\n\\u00e9\"")).unwrap(), "a\né");
        assert!(text("t", &raw("7")).is_err());
    }
}
