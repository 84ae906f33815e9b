//! What API Gateway expects of an authorizer: a policy for a handshake, a simple response for an HTTP call.

use nsl_aws::event::{GRANT, ROLE};
use nsl_domain::grant::{Grant, Role};
use serde_json::{Value, json};

/// The principal of a connection without credentials.
const ANONYMOUS: &str = "anonymous";

/// The error text that API Gateway turns into 401; any other failure of an authorizer is 500.
pub(crate) const UNAUTHORIZED: &str = "Unauthorized";

/// Accepts a handshake. The context's values travel with every later event of the connection.
pub(crate) fn allow(method_arn: &str, role: Role, source_ip: &str, grant: Option<&Grant>) -> Value {
    let principal = grant.map_or(ANONYMOUS, |grant| grant.user.as_str());
    let mut context = json!({ROLE: role.as_str(), "sourceIp": source_ip});
    if let (Some(grant), Some(fields)) = (grant, context.as_object_mut()) {
        fields.insert(GRANT.to_owned(), Value::String(grant.to_text()));
    }
    policy(method_arn, "Allow", principal, &context)
}

/// Rejects a handshake with 403.
pub(crate) fn deny(method_arn: &str) -> Value {
    policy(method_arn, "Deny", ANONYMOUS, &json!({}))
}

fn policy(method_arn: &str, effect: &str, principal: &str, context: &Value) -> Value {
    json!({
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": method_arn}],
        },
        "context": context,
    })
}

/// Accepts an HTTP call with its grant, or rejects it with 403.
pub(crate) fn simple(grant: Option<&Grant>) -> Value {
    match grant {
        Some(grant) => json!({"isAuthorized": true, "context": {GRANT: grant.to_text()}}),
        None => json!({"isAuthorized": false}),
    }
}
