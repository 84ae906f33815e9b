//! IAM policies in the results of Lambda authorizers: whether one allows the call.

use serde_json::{Map, Value as Json};

use crate::json::scalar_text;

/// The action of every call of an API.
const INVOKE: &str = "execute-api:Invoke";

/// An authorizer's decision about one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthDecision {
    Allow,
    /// Denied explicitly, or not allowed by any statement.
    Deny,
    /// The result has no policy.
    Malformed,
}

/// Evaluates the policy document of an authorizer's result for a call of `arn`.
pub(crate) fn evaluate(result: &Json, arn: &str) -> AuthDecision {
    let Some(statements) = result.pointer("/policyDocument/Statement") else {
        return AuthDecision::Malformed;
    };
    let mut decision = AuthDecision::Deny;
    for statement in one_or_many(statements) {
        let matches = |field: &str, wanted: &str| {
            let patterns = statement.get(field).map(one_or_many).unwrap_or_default();
            patterns.iter().filter_map(|pattern| pattern.as_str()).any(|pattern| matches(pattern, wanted))
        };
        if !(matches("Action", INVOKE) && matches("Resource", arn)) {
            continue;
        }
        if statement.get("Effect").and_then(Json::as_str) != Some("Allow") {
            return AuthDecision::Deny;
        }
        decision = AuthDecision::Allow;
    }
    decision
}

/// The context of an authorizer's result, with `principalId`, as events carry it: flat, all values text. `None` if a
/// value is a list or an object, which API Gateway rejects.
pub(crate) fn context(result: &Json) -> Option<Map<String, Json>> {
    let mut context = Map::new();
    if let Some(principal) = result.get("principalId").and_then(Json::as_str) {
        context.insert("principalId".into(), Json::from(principal));
    }
    for (name, value) in result.get("context").and_then(Json::as_object).into_iter().flatten() {
        if !value.is_null() {
            context.insert(name.clone(), Json::from(scalar_text(value)?));
        }
    }
    Some(context)
}

fn one_or_many(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(many) => many.iter().collect(),
        one => vec![one],
    }
}

/// IAM's wildcards: `*` for any text, `?` for any one character.
fn matches(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let rest = pattern.get(first.len_utf8()..).unwrap_or_default();
    if first == '*' {
        let mut tails = text.char_indices().map(|(index, _)| index).chain([text.len()]);
        return tails.any(|index| text.get(index..).is_some_and(|tail| matches(rest, tail)));
    }
    let mut letters = text.chars();
    letters.next().is_some_and(|letter| first == '?' || first == letter) && matches(rest, letters.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:Ws/live/$connect";

    fn decision(statements: Json) -> AuthDecision {
        evaluate(&json!({ "policyDocument": { "Statement": statements } }), ARN)
    }

    #[test]
    fn matching_allow_admits_unless_a_deny_matches() {
        let allow = json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": ARN });
        let deny = json!({ "Effect": "Deny", "Action": "execute-api:*", "Resource": ["x", "*/$connect"] });
        assert_eq!(decision(json!([allow])), AuthDecision::Allow);
        assert_eq!(decision(allow.clone()), AuthDecision::Allow);
        assert_eq!(decision(json!([allow, deny])), AuthDecision::Deny);
        let other = json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:*:Other/*" });
        assert_eq!(decision(json!([other])), AuthDecision::Deny);
        assert_eq!(evaluate(&json!({ "principalId": "p" }), ARN), AuthDecision::Malformed);
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        assert!(matches("a*c?e", "abbbcde"));
        assert!(matches("*", ""));
        assert!(!matches("a*c", "ab"));
        assert!(!matches("a", "ab"));
    }

    #[test]
    fn context_values_become_text() {
        let result = json!({ "principalId": "p", "context": { "n": 5, "b": true, "s": "t", "none": null } });
        let expected = json!({ "principalId": "p", "n": "5", "b": "true", "s": "t" });
        assert_eq!(context(&result).map(Json::Object), Some(expected));
        assert_eq!(context(&json!({ "context": { "list": [] } })), None);
    }
}
