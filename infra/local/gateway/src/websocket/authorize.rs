//! Admission to a WebSocket API: the answer of the REQUEST authorizer, read as API Gateway reads it.

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::{Map, Value as Json};

use crate::lambda::{InvokeError, UNAUTHORIZED};
use crate::policy::{self, AuthDecision};

/// The status and message of a handshake that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: &'static str,
}

const INTERNAL: Refusal =
    Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, message: "Internal server error" };

/// Reads an authorizer's result: the context that later events carry, or the refusal.
pub(crate) fn judge(
    result: Result<Bytes, InvokeError>,
    method_arn: &str,
) -> Result<Map<String, Json>, Refusal> {
    let answer = match result {
        Ok(answer) => answer,
        Err(InvokeError::Function { message }) if message == UNAUTHORIZED => {
            return Err(Refusal { status: StatusCode::UNAUTHORIZED, message: UNAUTHORIZED });
        }
        Err(_) => return Err(INTERNAL),
    };
    let answer: Json = serde_json::from_slice(&answer).map_err(|_| INTERNAL)?;
    match policy::verdict(&answer, method_arn) {
        AuthDecision::Allowed => {}
        AuthDecision::Denied => return Err(Refusal { status: StatusCode::FORBIDDEN, message: "Forbidden" }),
        AuthDecision::Malformed => return Err(INTERNAL),
    }
    let context = policy::context(&answer).ok_or(INTERNAL)?;
    if context.contains_key("principalId") { Ok(context) } else { Err(INTERNAL) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(answer: Json) -> Result<Map<String, Json>, u16> {
        judge(Ok(Bytes::from(answer.to_string())), "arn").map_err(|refusal| refusal.status.as_u16())
    }

    fn answer(effect: &str) -> Json {
        let statement = json!([{ "Effect": effect, "Action": "execute-api:Invoke", "Resource": "arn" }]);
        json!({ "principalId": "p", "policyDocument": { "Statement": statement }, "context": { "role": "view" } })
    }

    #[test]
    fn answers_become_contexts_or_statuses() {
        let context = judged(answer("Allow")).unwrap();
        assert_eq!(Json::Object(context), json!({ "principalId": "p", "role": "view" }));
        assert_eq!(judged(answer("Deny")), Err(403));
        assert_eq!(judged(json!({ "principalId": "p" })), Err(500));
        let mut nameless = answer("Allow");
        nameless.as_object_mut().unwrap().remove("principalId");
        assert_eq!(judged(nameless), Err(500));
        let failed = |message: &str| {
            let failure = InvokeError::Function { message: message.into() };
            judge(Err(failure), "arn").unwrap_err().status.as_u16()
        };
        assert_eq!(failed("Unauthorized"), 401);
        assert_eq!(failed("unauthorized"), 500);
        assert_eq!(judge(Err(InvokeError::TimedOut), "arn").unwrap_err().status.as_u16(), 500);
    }
}
