//! The series of a metrics document: its numeric leaves, named by dotted paths such as `cpu.loadAverage.0`.
//!
//! Owns the limits of a document's shape and the one walk over its text. Builds no tree: a hostile document costs
//! one path buffer and at most [`MAX_DEPTH`] stack frames. Refuses to judge what a number means.
//! Ruled by protocol.md §1, "Limits".

use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::rejection::{Code, Rejection};

#[cfg(test)]
mod tests;

/// Containers that may stand inside each other, the document itself being the first (protocol.md §1).
pub const MAX_DEPTH: usize = 8;
/// Numeric leaves that one document may have, counted before equal paths are told apart (protocol.md §1).
pub const MAX_SERIES: usize = 512;
/// Longest name of a series in bytes: the whole dotted path (protocol.md §1).
pub const MAX_NAME_BYTES: usize = 256;

/// Longest dotted path that a rejection repeats as its `field`; a longer one is told as `metrics`.
const MAX_BLAMED_BYTES: usize = 64;
/// The field of a report that holds the document, as rejections name it.
const DOCUMENT_FIELD: &str = "metrics";

/// What a legal document looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Containers inside each other at the deepest place, 1 to [`MAX_DEPTH`].
    pub depth: usize,
    /// Numeric leaves, 0 to [`MAX_SERIES`]; equal paths are counted each time.
    pub leaves: usize,
}

/// Walks the JSON text of a metrics document and shows each numeric leaf, in the order of the text, as its dotted
/// path and its value.
///
/// Keys and array indices are the parts of a path. Strings (`"NaN"` too), booleans and nulls are passed over.
/// Values are finite; an integer beyond 2^53 becomes the nearest `f64`. A path is shown again where a key repeats or
/// holds a dot (`{"a.b": 1, "a": {"b": 2}}`): who folds samples lets the last one win.
///
/// # Errors
/// `invalid_json` for text that is no JSON, `invalid_field` for a document that is no object, a number that no `f64`
/// can hold and a name past [`MAX_NAME_BYTES`], `too_deep` past [`MAX_DEPTH`], `too_many_series` past
/// [`MAX_SERIES`]. Leaves before the fault have been shown by then: who must not see them collects first.
pub fn for_each_sample(document: &str, visit: impl FnMut(&str, f64)) -> Result<Shape, Rejection> {
    let mut walk = Walk { path: String::new(), shape: Shape { depth: 0, leaves: 0 }, refusal: None, visit };
    let mut json = serde_json::Deserializer::from_str(document);
    let outcome = json.deserialize_map(Container { walk: &mut walk, depth: 1 }).and_then(|()| json.end());
    match outcome {
        Ok(()) => Ok(walk.shape),
        Err(error) => Err(walk.refusal.take().unwrap_or_else(|| fault_of(&error, &walk.path))),
    }
}

/// Holds a document to its limits without looking at its samples.
///
/// # Errors
/// Those of [`for_each_sample`].
pub fn check(document: &str) -> Result<Shape, Rejection> {
    for_each_sample(document, |_, _| ())
}

/// What an error of the JSON reader itself, met at `path`, says to the caller.
fn fault_of(error: &serde_json::Error, path: &str) -> Rejection {
    // The reader has no code of its own for this, and this text is pinned by a test.
    if error.to_string().starts_with("number out of range") {
        return Rejection::invalid(&blamed(path), "is a number out of range");
    }
    if error.classify() == Category::Data {
        return Rejection::invalid(DOCUMENT_FIELD, "must be an object");
    }
    Rejection::new(Code::InvalidJson, format!("metrics is no JSON: {error}")).at(DOCUMENT_FIELD)
}

/// The `field` of a rejection that blames the value at `path`.
fn blamed(path: &str) -> String {
    if path.is_empty() || path.len() > MAX_BLAMED_BYTES {
        return DOCUMENT_FIELD.to_owned();
    }
    format!("{DOCUMENT_FIELD}.{path}")
}

/// The state of one walk.
struct Walk<F> {
    /// Path of the value being read. Left as it is at a fault, so that the fault can be told with its place.
    path: String,
    shape: Shape,
    /// Why we stopped; the reader's own error type carries only text.
    refusal: Option<Rejection>,
    visit: F,
}

impl<F: FnMut(&str, f64)> Walk<F> {
    fn enter<E: Error>(&mut self, depth: usize) -> Result<(), E> {
        if depth > MAX_DEPTH {
            let message = format!("metrics is nested deeper than {MAX_DEPTH} levels");
            return self.refuse(Rejection::new(Code::TooDeep, message).at(blamed(&self.path)));
        }
        self.shape.depth = self.shape.depth.max(depth);
        Ok(())
    }

    fn show<E: Error>(&mut self, value: f64) -> Result<(), E> {
        if self.path.len() > MAX_NAME_BYTES {
            let demand = format!("has a series name longer than {MAX_NAME_BYTES} bytes");
            return self.refuse(Rejection::invalid(DOCUMENT_FIELD, demand));
        }
        if self.shape.leaves == MAX_SERIES {
            let message = format!("metrics has more than {MAX_SERIES} numbers");
            return self.refuse(Rejection::new(Code::TooManySeries, message).at(DOCUMENT_FIELD));
        }
        self.shape.leaves += 1;
        (self.visit)(&self.path, value);
        Ok(())
    }

    fn refuse<E: Error>(&mut self, rejection: Rejection) -> Result<(), E> {
        self.refusal = Some(rejection);
        Err(E::custom("refused"))
    }

    /// Appends one part to the path and answers how long the path was before. A container inside the document is
    /// told from the document by `depth`, not by an empty path: a key may be empty.
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

/// Reads the members of one container, `depth` counting the document as 1.
struct Container<'w, F> {
    walk: &'w mut Walk<F>,
    depth: usize,
}

impl<'de, F: FnMut(&str, f64)> Visitor<'de> for Container<'_, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { walk, depth } = self;
        walk.enter(depth)?;
        while let Some(before) = members.next_key_seed(Key { walk: &mut *walk, depth })? {
            members.next_value_seed(Member { walk: &mut *walk, depth })?;
            walk.path.truncate(before);
        }
        Ok(())
    }
}

/// Reads a key onto the path and gives the length that the path had before.
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
        Ok(self.walk.push(format_args!("{key}"), self.depth))
    }
}

/// Reads one member of a container at `depth`: a number is shown, a container walked, the rest passed over.
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
        self.walk.show(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.walk.show(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.walk.show(value)
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

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(), A::Error> {
        Container { walk: self.walk, depth: self.depth + 1 }.visit_map(members)
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
