//! Reads the result of a WebSocket API's REQUEST authorizer as API Gateway does.

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::{Map, Value as Json};

use crate::lambda::{InvokeError, UNAUTHORIZED};
use crate::policy::{self, AuthDecision};

/// The response to a rejected handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandshakeError {
    pub(crate) status: StatusCode,
    pub(crate) message: &'static str,
}

const INTERNAL_ERROR: HandshakeError =
    HandshakeError { status: StatusCode::INTERNAL_SERVER_ERROR, message: "Internal server error" };

/// Returns the context that later events carry if the authorizer allows the connection.
pub(crate) fn read_result(
    result: Result<Bytes, InvokeError>,
    method_arn: &str,
) -> Result<Map<String, Json>, HandshakeError> {
    let result = result.map_err(|error| match error {
        InvokeError::Function { message } if message == UNAUTHORIZED => {
            HandshakeError { status: StatusCode::UNAUTHORIZED, message: UNAUTHORIZED }
        }
        InvokeError::Function { .. } | InvokeError::TimedOut | InvokeError::Unavailable(_) => INTERNAL_ERROR,
    })?;
    let result: Json = serde_json::from_slice(&result).map_err(|_| INTERNAL_ERROR)?;
    match policy::evaluate(&result, method_arn) {
        AuthDecision::Allow => {}
        AuthDecision::Deny => {
            return Err(HandshakeError { status: StatusCode::FORBIDDEN, message: "Forbidden" });
        }
        AuthDecision::Malformed => return Err(INTERNAL_ERROR),
    }
    policy::context(&result).filter(|context| context.contains_key("principalId")).ok_or(INTERNAL_ERROR)
}
