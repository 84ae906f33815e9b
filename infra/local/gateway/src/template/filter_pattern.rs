//! Filter patterns of event source mappings: which records a function is invoked for.
//!
//! Of EventBridge's patterns only exact values are supported. Other conditions are errors at startup, because a
//! pattern that silently matched everything or nothing would be found much later.

use std::collections::BTreeMap;

use anyhow::anyhow;
use serde_json::Value as Json;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FilterPattern {
    /// Every field must match.
    Fields(BTreeMap<String, FilterPattern>),
    /// The value, or an item of a list, must be one of these.
    AnyOf(Vec<Json>),
}

impl FilterPattern {
    /// Parses the JSON text of a pattern.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        match serde_json::from_str(text) {
            Ok(Json::Object(fields)) => Self::from_fields(&fields, ""),
            Ok(_) | Err(_) => Err(anyhow!("is not a JSON object")),
        }
    }

    fn from_fields(fields: &serde_json::Map<String, Json>, path: &str) -> anyhow::Result<Self> {
        let mut patterns = BTreeMap::new();
        for (name, value) in fields {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if name.starts_with('$') {
                return Err(unsupported(&path, name));
            }
            patterns.insert(name.clone(), Self::from_value(value, &path)?);
        }
        Ok(Self::Fields(patterns))
    }

    fn from_value(value: &Json, path: &str) -> anyhow::Result<Self> {
        let not_a_pattern = || anyhow!("{path}: must be an object of fields or a list of values");
        match value {
            Json::Object(fields) => Self::from_fields(fields, path),
            Json::Array(values) if !values.is_empty() => {
                for value in values {
                    if let Some(name) = value.as_object().and_then(|condition| condition.keys().next()) {
                        return Err(unsupported(path, name));
                    }
                    if value.is_object() || value.is_array() {
                        return Err(not_a_pattern());
                    }
                }
                Ok(Self::AnyOf(values.clone()))
            }
            _ => Err(not_a_pattern()),
        }
    }

    pub(crate) fn matches(&self, record: &Json) -> bool {
        self.matches_field(Some(record))
    }

    fn matches_field(&self, field: Option<&Json>) -> bool {
        match self {
            Self::Fields(fields) => fields
                .iter()
                .all(|(name, pattern)| pattern.matches_field(field.and_then(|field| field.get(name)))),
            Self::AnyOf(values) => match field {
                None => false,
                Some(Json::Array(items)) => items.iter().any(|item| values.contains(item)),
                Some(value) => values.contains(value),
            },
        }
    }
}

fn unsupported(path: &str, name: &str) -> anyhow::Error {
    anyhow!("{path}: the condition `{name}` is not supported by the gateway, only exact values are")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_must_have_one_of_its_values() {
        let record = json!({
            "eventName": "INSERT",
            "dynamodb": { "Keys": { "pk": { "S": "app#7" } }, "NewImage": { "tags": { "SS": ["a", "b"] } } },
        });
        let matches = |pattern: &str| FilterPattern::parse(pattern).unwrap().matches(&record);
        assert!(matches(r#"{"eventName":["INSERT","MODIFY"]}"#));
        assert!(!matches(r#"{"eventName":["REMOVE"]}"#));
        assert!(matches(r#"{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":["app#7"]}}}}"#));
        assert!(!matches(r#"{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":["app#8"]}}}}"#));
        assert!(matches("{}"));
        assert!(matches(r#"{"dynamodb":{"NewImage":{"tags":{"SS":["b"]}}}}"#), "an item of a list");
        assert!(!matches(r#"{"userIdentity":{"type":["Service"]}}"#), "a missing field");
    }

    #[test]
    fn unsupported_patterns_are_errors_with_a_path() {
        let error = |pattern: &str| FilterPattern::parse(pattern).unwrap_err().to_string();
        assert_eq!(error("nonsense"), "is not a JSON object");
        assert_eq!(error("[]"), "is not a JSON object");
        assert_eq!(
            error(r#"{"eventName":"INSERT"}"#),
            "eventName: must be an object of fields or a list of values"
        );
        assert!(
            error(r#"{"dynamodb":{"NewImage":{"n":{"N":[{"numeric":["=",1]}]}}}}"#).starts_with(
                "dynamodb.NewImage.n.N: the condition `numeric` is not supported by the gateway"
            )
        );
        assert!(error(r#"{"$or":[{"a":["b"]}]}"#).contains("`$or` is not supported"));
        assert!(error(r#"{"a":[[]]}"#).starts_with("a: must be"));
        assert!(error(r#"{"a":[]}"#).starts_with("a: must be"));
    }
}
