//! Route selection: the text at the selection path of a frame's body, which may be any text.
//!
//! The body is scanned without building a value, and values off the path are skipped without recursion, so deep
//! nesting cannot overflow the stack.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The string, number or boolean at `path` in `body`, as text. `None` if the body is not JSON or has no such scalar.
/// Of duplicate keys the last counts.
pub(crate) fn select_route_key(body: &str, path: &[String]) -> Option<String> {
    let mut parser = serde_json::Deserializer::from_str(body);
    let found = Scan { path }.deserialize(&mut parser).ok()?;
    parser.end().ok()?;
    found
}

struct Scan<'p> {
    path: &'p [String],
}

impl<'de> DeserializeSeed<'de> for Scan<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl Scan<'_> {
    /// A scalar counts only at the end of the path.
    fn scalar<E>(&self, text: String) -> Result<Option<String>, E> {
        Ok(Some(text).filter(|_| self.path.is_empty()))
    }
}

impl<'de> Visitor<'de> for Scan<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match self.path.split_first() {
                Some((wanted, rest)) if *wanted == key => found = map.next_value_seed(Scan { path: rest })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        self.scalar(text.to_owned())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        self.scalar(flag.to_string())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        self.scalar(number.to_string())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        self.scalar(number.to_string())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        self.scalar(number.to_string())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_type(body: &str) -> Option<String> {
        select_route_key(body, &["type".to_owned()])
    }

    #[test]
    fn scalar_at_the_path_is_found() {
        assert_eq!(by_type(r#"{"a":[1,{"type":"x"}],"type":"metrics"}"#).as_deref(), Some("metrics"));
        assert_eq!(by_type(r#"{"type":7}"#).as_deref(), Some("7"));
        assert_eq!(by_type(r#"{"type":true}"#).as_deref(), Some("true"));
        assert_eq!(by_type(r#"{"type":"esc\u0061pe"}"#).as_deref(), Some("escape"));
        let path = ["a".to_owned(), "b".to_owned()];
        assert_eq!(select_route_key(r#"{"a":{"b":"deep"},"b":"no"}"#, &path).as_deref(), Some("deep"));
        assert_eq!(select_route_key(r#"{"a":"flat"}"#, &path), None);
    }

    #[test]
    fn last_of_duplicate_keys_counts() {
        assert_eq!(by_type(r#"{"type":"a","type":"b"}"#).as_deref(), Some("b"));
        assert_eq!(by_type(r#"{"type":"a","type":{}}"#), None);
    }

    #[test]
    fn invalid_bodies_select_nothing() {
        for body in
            ["", "hello", "null", "[]", "7", "{", r#"{"type":"a"} x"#, r#"{"type":null}"#, r#""type""#]
        {
            assert_eq!(by_type(body), None, "{body}");
        }
        assert_eq!(by_type(r#"{"type":"a","n":1e999}"#).as_deref(), Some("a"));
    }

    #[test]
    fn deep_nesting_is_skipped() {
        let depth = 500_000;
        let deep = "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(by_type(&format!(r#"{{"data":{deep},"type":"a"}}"#)).as_deref(), Some("a"));
        assert_eq!(by_type(&deep), None);
        assert_eq!(by_type(&"[".repeat(depth)), None);
        assert_eq!(by_type(&format!(r#"{{"type":{deep}}}"#)), None);
        assert_eq!(by_type(&r#"{"a":"#.repeat(depth)), None);
    }
}
