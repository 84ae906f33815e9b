//! Route selection: the text at the selection path of a frame's body, which may be any text.
//!
//! Values off the path are skipped without building or recursion, so deep nesting cannot overflow the stack.

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::json::scalar_text;

/// The string, number or boolean at `path` in `body`, as text. `None` if the body is not JSON or has no such scalar.
/// Of duplicate keys the last counts.
pub(crate) fn select_route_key(body: &str, path: &[String]) -> Option<String> {
    let mut value: &RawValue = serde_json::from_str(body).ok()?;
    for name in path {
        let fields: HashMap<String, &RawValue> = serde_json::from_str(value.get()).ok()?;
        value = fields.get(name)?;
    }
    if value.get().starts_with(['{', '[']) {
        return None;
    }
    scalar_text(&serde_json::from_str(value.get()).ok()?)
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
