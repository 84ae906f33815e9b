//! Reads the result of a WebSocket API's REQUEST authorizer as API Gateway does.

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::{Map, Value as Json};

use crate::lambda::{InvokeError, UNAUTHORIZED};
use crate::policy::{self, AuthDecision};

/// The status and the message of a rejected handshake.
type Rejection = (StatusCode, &'static str);

const INTERNAL_ERROR: Rejection = (StatusCode::INTERNAL_SERVER_ERROR, "Internal server error");

/// Returns the context that later events carry if the authorizer allows the connection.
pub(crate) fn read_result(
    result: Result<Bytes, InvokeError>,
    method_arn: &str,
) -> Result<Map<String, Json>, Rejection> {
    let result = result.map_err(|error| match error {
        InvokeError::Function { message } if message == UNAUTHORIZED => {
            (StatusCode::UNAUTHORIZED, UNAUTHORIZED)
        }
        InvokeError::Function { .. } | InvokeError::TimedOut | InvokeError::Unavailable(_) => INTERNAL_ERROR,
    })?;
    let result: Json = serde_json::from_slice(&result).map_err(|_| INTERNAL_ERROR)?;
    match policy::evaluate(&result, method_arn) {
        AuthDecision::Allow => {}
        AuthDecision::Deny => return Err((StatusCode::FORBIDDEN, "Forbidden")),
        AuthDecision::Malformed => return Err(INTERNAL_ERROR),
    }
    policy::context(&result).filter(|context| context.contains_key("principalId")).ok_or(INTERNAL_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_is_an_internal_error() {
        assert_eq!(read_result(Err(InvokeError::TimedOut), "arn").unwrap_err().0, 500);
    }
}
