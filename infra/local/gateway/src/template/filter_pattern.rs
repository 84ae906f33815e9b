//! Filter patterns of event source mappings: which records a function is invoked for.
//!
//! The part of EventBridge's language that Lambda offers for DynamoDB. A pattern that is not understood is refused
//! at the start: one that silently lets everything or nothing pass would be found much later.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// A pattern that cannot be followed, with the path at which it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("is no JSON object")]
    NoObject,
    #[error("{0}: must be an object of fields or a list of conditions")]
    NoConditions(String),
    #[error("{path}: the condition `{name}` is not supported by the gateway")]
    Unsupported { path: String, name: String },
    #[error("{path}: the condition `{name}` is not written as EventBridge expects it")]
    Malformed { path: String, name: String },
}

/// Conditions on a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FilterPattern {
    fields: BTreeMap<String, Node>,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Fields(BTreeMap<String, Node>),
    /// One of these must hold.
    AnyOf(Vec<Condition>),
}

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Equals(Json),
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    Exists(bool),
    /// The field is there and is none of these.
    AnythingBut(Vec<Json>),
    AnythingButPrefix(String),
}

impl FilterPattern {
    /// Reads a pattern as `FilterCriteria` holds it: JSON in a text.
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        match serde_json::from_str(text) {
            Ok(Json::Object(object)) => Ok(Self { fields: fields(&object, "")? }),
            _ => Err(PatternError::NoObject),
        }
    }

    /// Whether every condition holds for `record`.
    pub(crate) fn matches(&self, record: &Json) -> bool {
        all_match(&self.fields, Some(record))
    }
}

fn fields(
    object: &serde_json::Map<String, Json>,
    path: &str,
) -> Result<BTreeMap<String, Node>, PatternError> {
    let mut fields = BTreeMap::new();
    for (name, value) in object {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if name.starts_with('$') {
            return Err(PatternError::Unsupported { path, name: name.clone() });
        }
        fields.insert(name.clone(), node(value, path)?);
    }
    Ok(fields)
}

fn node(value: &Json, path: String) -> Result<Node, PatternError> {
    match value {
        Json::Object(object) => fields(object, &path).map(Node::Fields),
        Json::Array(items) if !items.is_empty() => {
            items.iter().map(|item| condition(item, &path)).collect::<Result<_, _>>().map(Node::AnyOf)
        }
        _ => Err(PatternError::NoConditions(path)),
    }
}

fn condition(item: &Json, path: &str) -> Result<Condition, PatternError> {
    let object = match item {
        Json::Object(object) => object,
        Json::Array(_) => return Err(PatternError::NoConditions(path.to_owned())),
        literal => return Ok(Condition::Equals(literal.clone())),
    };
    let mut entries = object.iter();
    let (Some((name, argument)), None) = (entries.next(), entries.next()) else {
        return Err(PatternError::NoConditions(path.to_owned()));
    };
    let malformed = || PatternError::Malformed { path: path.to_owned(), name: name.clone() };
    let text = || argument.as_str().map(str::to_owned).ok_or_else(malformed);
    match name.as_str() {
        "prefix" => text().map(Condition::Prefix),
        "suffix" => text().map(Condition::Suffix),
        "equals-ignore-case" => text().map(Condition::EqualsIgnoreCase),
        "exists" => argument.as_bool().map(Condition::Exists).ok_or_else(malformed),
        "anything-but" => match argument {
            Json::String(_) | Json::Number(_) => Ok(Condition::AnythingBut(vec![argument.clone()])),
            Json::Array(items) if items.iter().all(|item| item.is_string() || item.is_number()) => {
                Ok(Condition::AnythingBut(items.clone()))
            }
            Json::Object(inner) if inner.len() == 1 => {
                let prefix = inner.get("prefix").and_then(Json::as_str).ok_or_else(malformed)?;
                Ok(Condition::AnythingButPrefix(prefix.to_owned()))
            }
            _ => Err(malformed()),
        },
        _ => Err(PatternError::Unsupported { path: path.to_owned(), name: name.clone() }),
    }
}

fn all_match(fields: &BTreeMap<String, Node>, value: Option<&Json>) -> bool {
    fields.iter().all(|(name, node)| {
        let field = value.and_then(|value| value.get(name));
        match node {
            Node::Fields(fields) => all_match(fields, field),
            Node::AnyOf(conditions) => conditions.iter().any(|condition| holds(condition, field)),
        }
    })
}

fn holds(condition: &Condition, field: Option<&Json>) -> bool {
    if let Condition::Exists(wanted) = condition {
        // Only leaves exist: an object in between does not count, as with EventBridge.
        return field.is_some_and(|field| !field.is_object()) == *wanted;
    }
    match field {
        None => false,
        Some(Json::Array(items)) => items.iter().any(|item| holds_for(condition, item)),
        Some(item) => holds_for(condition, item),
    }
}

fn holds_for(condition: &Condition, item: &Json) -> bool {
    let text = item.as_str();
    match condition {
        Condition::Equals(wanted) => item == wanted,
        Condition::EqualsIgnoreCase(wanted) => {
            text.is_some_and(|text| text.to_lowercase() == wanted.to_lowercase())
        }
        Condition::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix.as_str())),
        Condition::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix.as_str())),
        Condition::Exists(wanted) => *wanted,
        Condition::AnythingBut(unwanted) => !item.is_object() && !unwanted.contains(item),
        Condition::AnythingButPrefix(prefix) => text.is_some_and(|text| !text.starts_with(prefix.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(pattern: &str, record: &Json) -> bool {
        FilterPattern::parse(pattern).unwrap().matches(record)
    }

    fn record() -> Json {
        json!({
            "eventName": "INSERT",
            "dynamodb": { "Keys": { "pk": { "S": "app#7" } }, "NewImage": { "tags": { "SS": ["a", "b"] } } },
        })
    }

    #[test]
    fn every_field_must_hold_and_one_condition_of_each() {
        assert!(matches(r#"{"eventName":["INSERT","MODIFY"]}"#, &record()));
        assert!(!matches(r#"{"eventName":["REMOVE"]}"#, &record()));
        assert!(matches(
            r#"{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"app#"}]}}}}"#,
            &record()
        ));
        assert!(!matches(
            r#"{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":["app#8"]}}}}"#,
            &record()
        ));
        assert!(matches("{}", &record()));
        assert!(matches(r#"{"dynamodb":{"NewImage":{"tags":{"SS":["b"]}}}}"#, &record()), "any of a list");
    }

    #[test]
    fn conditions_mean_what_they_mean_to_eventbridge() {
        let on_pk = |condition: &str| {
            matches(&format!(r#"{{"dynamodb":{{"Keys":{{"pk":{{"S":[{condition}]}}}}}}}}"#), &record())
        };
        assert!(on_pk(r#"{"suffix":"7"}"#) && !on_pk(r#"{"suffix":"8"}"#));
        assert!(on_pk(r#"{"equals-ignore-case":"APP#7"}"#));
        assert!(on_pk(r#"{"anything-but":["x","y"]}"#) && !on_pk(r#"{"anything-but":"app#7"}"#));
        assert!(
            on_pk(r#"{"anything-but":{"prefix":"x"}}"#) && !on_pk(r#"{"anything-but":{"prefix":"app"}}"#)
        );
        assert!(on_pk(r#"{"exists":true}"#) && !on_pk(r#"{"exists":false}"#));
        assert!(matches(r#"{"userIdentity":{"type":[{"exists":false}]}}"#, &record()));
        assert!(!matches(r#"{"userIdentity":{"type":[{"anything-but":"Service"}]}}"#, &record()));
        assert!(matches(r#"{"dynamodb":{"Keys":[{"exists":false}]}}"#, &record()), "only leaves exist");
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        let fault = |pattern: &str| FilterPattern::parse(pattern).unwrap_err().to_string();
        assert_eq!(fault("nonsense"), "is no JSON object");
        assert_eq!(fault("[]"), "is no JSON object");
        assert_eq!(
            fault(r#"{"eventName":"INSERT"}"#),
            "eventName: must be an object of fields or a list of conditions"
        );
        assert_eq!(
            fault(r#"{"dynamodb":{"NewImage":{"n":{"N":[{"numeric":["=",1]}]}}}}"#),
            "dynamodb.NewImage.n.N: the condition `numeric` is not supported by the gateway"
        );
        assert!(fault(r#"{"$or":[{"a":["b"]}]}"#).contains("`$or` is not supported"));
        assert!(fault(r#"{"a":[{"prefix":5}]}"#).contains("is not written as EventBridge expects it"));
        assert!(fault(r#"{"a":[]}"#).starts_with("a: must be"));
    }
}
