//! Answers of Lambda authorizers that come as IAM policies, and whether one allows the call.

use serde_json::{Map, Value as Json};

/// The action that every call of an API is.
const INVOKE: &str = "execute-api:Invoke";

/// What a policy says about one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthDecision {
    Allowed,
    /// Denied explicitly, or not allowed by any statement.
    Denied,
    /// No policy at all.
    Malformed,
}

/// What `answer`'s policy document says about a call of `arn`.
pub(crate) fn verdict(answer: &Json, arn: &str) -> AuthDecision {
    let statements = answer.get("policyDocument").and_then(|policy| policy.get("Statement"));
    let Some(statements) = statements else { return AuthDecision::Malformed };
    let mut verdict = AuthDecision::Denied;
    for statement in one_or_many(statements) {
        let names = |field: &str, wanted: &str| {
            let patterns = statement.get(field).map(one_or_many).unwrap_or_default();
            patterns.iter().filter_map(|pattern| pattern.as_str()).any(|pattern| matches(pattern, wanted))
        };
        if !(names("Action", INVOKE) && names("Resource", arn)) {
            continue;
        }
        match statement.get("Effect").and_then(Json::as_str) {
            Some("Allow") => verdict = AuthDecision::Allowed,
            _ => return AuthDecision::Denied,
        }
    }
    verdict
}

/// The answer's context, with `principalId`, as events carry it: flat, all values text. `None` where a value is
/// a list or an object, which API Gateway refuses.
pub(crate) fn context(answer: &Json) -> Option<Map<String, Json>> {
    let mut context = Map::new();
    if let Some(principal) = answer.get("principalId").and_then(Json::as_str) {
        context.insert("principalId".into(), Json::from(principal));
    }
    for (name, value) in answer.get("context").and_then(Json::as_object).into_iter().flatten() {
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            Json::Bool(flag) => flag.to_string(),
            Json::Null => continue,
            Json::Array(_) | Json::Object(_) => return None,
        };
        context.insert(name.clone(), Json::from(text));
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
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                last_star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || Some(wanted) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match last_star {
                Some((star, taken)) => {
                    last_star = Some((star, taken + 1));
                    p = star + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:Ws/live/$connect";

    fn judged(statements: Json) -> AuthDecision {
        verdict(&json!({ "policyDocument": { "Statement": statements } }), ARN)
    }

    #[test]
    fn an_allow_that_matches_admits_and_a_deny_wins() {
        let allow = json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": ARN });
        let deny = json!({ "Effect": "Deny", "Action": "execute-api:*", "Resource": ["x", "*/$connect"] });
        assert_eq!(judged(json!([allow])), AuthDecision::Allowed);
        assert_eq!(judged(allow.clone()), AuthDecision::Allowed);
        assert_eq!(judged(json!([allow, deny])), AuthDecision::Denied);
        let other = json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:*:Other/*" });
        assert_eq!(judged(json!([other])), AuthDecision::Denied);
        assert_eq!(verdict(&json!({ "principalId": "p" }), ARN), AuthDecision::Malformed);
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        assert!(matches("a*c?e", "abbbcde"));
        assert!(matches("*", ""));
        assert!(!matches("a*c", "ab"));
        assert!(!matches("a", "ab"));
    }

    #[test]
    fn context_becomes_flat_text() {
        let answer = json!({ "principalId": "p", "context": { "n": 5, "b": true, "s": "t", "none": null } });
        let expected = json!({ "principalId": "p", "n": "5", "b": "true", "s": "t" });
        assert_eq!(context(&answer).map(Json::Object), Some(expected));
        assert_eq!(context(&json!({ "context": { "list": [] } })), None);
    }
}
