//! The series of a metrics document: its numeric leaves, named by dotted paths such as `cpu.loadAverage.0`.
//!
//! The walk builds no tree: a hostile document costs one path buffer and at most [`MAX_DEPTH`] stack frames.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use crate::json_error::invalid_json;
use crate::rejection::{Code, Rejection};

mod meaning;
#[cfg(test)]
mod tests;

pub use meaning::{LIBRARY_SERIES, Unit};

/// Deepest nesting of objects and arrays; the document itself is the first level.
pub const MAX_DEPTH: usize = 8;
/// Most numeric leaves of a document; leaves with the same path count each.
pub const MAX_SERIES: usize = 512;
/// Longest name of a series in bytes: the whole dotted path.
pub const MAX_NAME_BYTES: usize = 256;

/// Longest dotted path in bytes that a rejection has as its `field`; instead of a longer one, it has `metrics`.
const MAX_FIELD_BYTES: usize = 64;
/// The field of a report that has the document.
const DOCUMENT_FIELD: &str = "metrics";

/// The size of a valid document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Levels of nesting, 1 to [`MAX_DEPTH`].
    pub depth: usize,
    /// Numeric leaves, 0 to [`MAX_SERIES`]; leaves with the same path count each.
    pub leaves: usize,
}

/// Checks a document that is to be stored: its limits, and that no two of its numbers have one name because a key has a
/// dot, as in `{"a.b": 1, "a": {"b": 2}}`. Of a repeated key the last counts.
///
/// # Errors
/// Those of [`for_each_sample`], and `invalid_field` for such a name.
pub fn check_new(document: &str) -> Result<Shape, Rejection> {
    let Walked { shape, has_dotted_key } = walk(document, |_, _| {})?;
    if has_dotted_key && shape.depth > 1 {
        // The walk has checked the text and its depth.
        let document = serde_json::from_str(document).unwrap_or_default();
        check_names(&document, &mut Vec::new(), &mut HashMap::new())?;
    }
    Ok(shape)
}

/// Fails if two numbers within `value`, which is at the path `parts`, have one name; `found` has the parts of each name.
fn check_names<'v>(
    value: &'v Value,
    parts: &mut Vec<Cow<'v, str>>,
    found: &mut HashMap<String, Vec<Cow<'v, str>>>,
) -> Result<(), Rejection> {
    let members: Vec<(Cow<'v, str>, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(key, value)| (key.into(), value)).collect(),
        Value::Array(items) => (0_usize..).map(|index| index.to_string().into()).zip(items).collect(),
        Value::Number(_) => {
            let name = parts.join(".");
            return match found.insert(name.clone(), parts.clone()) {
                Some(other) if other != *parts => Err(Rejection::invalid(
                    &field_at(&name),
                    "is there twice, as a key with a dot and nested",
                )),
                _ => Ok(()),
            };
        }
        Value::Null | Value::Bool(_) | Value::String(_) => return Ok(()),
    };
    for (part, value) in members {
        parts.push(part);
        check_names(value, parts, found)?;
        parts.pop();
    }
    Ok(())
}

/// Passes each numeric leaf of a metrics document to `visit`, in the order of the text, as its dotted path and value.
///
/// Keys and array indices are the parts of a path. Strings (also `"NaN"`), booleans and nulls are skipped, and a number
/// whose whole path is one empty key, because no query could name it.
/// Values are finite; an integer beyond 2^53 becomes the nearest `f64`. A path may come more than once where a key
/// repeats or has a dot (`{"a.b": 1, "a": {"b": 2}}`); callers use the last.
///
/// # Errors
/// `invalid_json` for text that is not JSON, `invalid_field` for a document that is not an object, a number beyond `f64`
/// and a name past [`MAX_NAME_BYTES`], `too_deep` past [`MAX_DEPTH`], `too_many_series` past [`MAX_SERIES`]. Leaves
/// before the error have been visited by then.
pub fn for_each_sample(document: &str, visit: impl FnMut(&str, f64)) -> Result<Shape, Rejection> {
    walk(document, visit).map(|walked| walked.shape)
}

/// A document that was walked.
struct Walked {
    shape: Shape,
    /// Whether a key has a dot, so that two of its numbers may have one name.
    has_dotted_key: bool,
}

fn walk(document: &str, visit: impl FnMut(&str, f64)) -> Result<Walked, Rejection> {
    let shape = Shape { depth: 0, leaves: 0 };
    let mut walk = Walk { path: String::new(), shape, has_dotted_key: false, rejection: None, visit };
    let mut json = serde_json::Deserializer::from_str(document);
    let outcome = json.deserialize_map(Member { walk: &mut walk, depth: 0 }).and_then(|()| json.end());
    match outcome {
        Ok(()) => Ok(Walked { shape: walk.shape, has_dotted_key: walk.has_dotted_key }),
        Err(error) => {
            Err(walk.rejection.take().unwrap_or_else(|| parse_rejection(document, &error, &walk.path)))
        }
    }
}

/// Checks the limits of a document.
///
/// # Errors
/// Those of [`for_each_sample`].
pub fn check(document: &str) -> Result<Shape, Rejection> {
    for_each_sample(document, |_, _| ())
}

/// The rejection for an error of the JSON parser at `path`.
fn parse_rejection(document: &str, error: &serde_json::Error, path: &str) -> Rejection {
    // serde_json has no error kind for this; a test pins the text.
    if error.to_string().starts_with("number out of range") {
        return Rejection::invalid(&field_at(path), "is a number out of range");
    }
    if error.classify() == Category::Data {
        return Rejection::invalid(DOCUMENT_FIELD, "must be an object");
    }
    invalid_json(DOCUMENT_FIELD, document, error).at(DOCUMENT_FIELD)
}

/// The `field` of a rejection of the value at `path`.
fn field_at(path: &str) -> String {
    if path.is_empty() || path.len() > MAX_FIELD_BYTES {
        return DOCUMENT_FIELD.to_owned();
    }
    format!("{DOCUMENT_FIELD}.{path}")
}

/// The state of one walk.
struct Walk<F> {
    /// Path of the value being read; after an error, that of the error.
    path: String,
    shape: Shape,
    has_dotted_key: bool,
    /// Why the walk ended: the error type of the parser carries only text.
    rejection: Option<Rejection>,
    visit: F,
}

impl<F: FnMut(&str, f64)> Walk<F> {
    fn enter<E: Error>(&mut self, depth: usize) -> Result<(), E> {
        if depth > MAX_DEPTH {
            let message = format!("metrics is nested deeper than {MAX_DEPTH} levels");
            return self.reject(Rejection::new(Code::TooDeep, message).at(field_at(&self.path)));
        }
        self.shape.depth = self.shape.depth.max(depth);
        Ok(())
    }

    fn visit<E: Error>(&mut self, value: f64) -> Result<(), E> {
        if self.path.is_empty() {
            return Ok(());
        }
        if self.path.len() > MAX_NAME_BYTES {
            let demand = format!("has a series name longer than {MAX_NAME_BYTES} bytes");
            return self.reject(Rejection::invalid(DOCUMENT_FIELD, demand));
        }
        if self.shape.leaves == MAX_SERIES {
            let message = format!("metrics has more than {MAX_SERIES} numbers");
            return self.reject(Rejection::new(Code::TooManySeries, message).at(DOCUMENT_FIELD));
        }
        self.shape.leaves += 1;
        (self.visit)(&self.path, value);
        Ok(())
    }

    fn reject<E: Error>(&mut self, rejection: Rejection) -> Result<(), E> {
        self.rejection = Some(rejection);
        Err(E::custom("rejected"))
    }

    /// Appends one part to the path and returns the length of the path before. The first part has no dot; an empty path
    /// does not show that it is the first, because a key may be empty.
    fn push(&mut self, part: fmt::Arguments<'_>, depth: usize) -> usize {
        let before = self.path.len();
        if depth > 1 {
            self.path.push('.');
        }
        // Writing to a `String` cannot fail.
        let _ = self.path.write_fmt(part);
        before
    }
}

/// Appends a key to the path and returns the length of the path before.
struct Key<'w, F> {
    walk: &'w mut Walk<F>,
    depth: usize,
}

impl<'de, F: FnMut(&str, f64)> DeserializeSeed<'de> for Key<'_, F> {
    type Value = usize;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_str(self)
    }
}

impl<F: FnMut(&str, f64)> Visitor<'_> for Key<'_, F> {
    type Value = usize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<usize, E> {
        self.walk.has_dotted_key |= key.contains('.');
        Ok(self.walk.push(format_args!("{key}"), self.depth))
    }
}

/// Reads one member of a container at `depth`, counting the document as 1; the document itself is a member at 0.
struct Member<'w, F> {
    walk: &'w mut Walk<F>,
    depth: usize,
}

impl<'de, F: FnMut(&str, f64)> DeserializeSeed<'de> for Member<'_, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str, f64)> Visitor<'de> for Member<'_, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.walk.visit(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.walk.visit(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.walk.visit(value)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let walk = self.walk;
        let depth = self.depth + 1;
        walk.enter(depth)?;
        while let Some(before) = members.next_key_seed(Key { walk: &mut *walk, depth })? {
            members.next_value_seed(Member { walk: &mut *walk, depth })?;
            walk.path.truncate(before);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let walk = self.walk;
        let depth = self.depth + 1;
        walk.enter(depth)?;
        for index in 0_usize.. {
            let before = walk.push(format_args!("{index}"), depth);
            if items.next_element_seed(Member { walk: &mut *walk, depth })?.is_none() {
                walk.path.truncate(before);
                break;
            }
            walk.path.truncate(before);
        }
        Ok(())
    }
}
