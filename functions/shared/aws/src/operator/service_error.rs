//! An error that a service returned: its code, which decides what an operator can do, and AWS's own sentence.

use std::fmt;

use serde::Deserialize;

/// An error of CloudFormation or Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    /// Such as `AccessDenied`; empty if the response has none.
    pub code: String,
    /// AWS's sentence, or the body if it is of no known form.
    pub message: String,
}

/// The body of an error of a JSON service.
#[derive(Deserialize)]
struct JsonError {
    #[serde(rename = "__type", default)]
    code: String,
    #[serde(alias = "Message", default)]
    message: String,
}

impl ServiceError {
    /// The error in the body of a JSON service's response. Its type may have a namespace before `#`.
    pub(super) fn of_json(body: &str) -> Self {
        let JsonError { code, message } = serde_json::from_str(body)
            .unwrap_or_else(|_| JsonError { code: String::new(), message: body.trim().to_owned() });
        Self { code: code.rsplit('#').next().unwrap_or_default().to_owned(), message }
    }

    /// Whether the caller lacks a permission.
    pub fn is_denied(&self) -> bool {
        self.code.starts_with("AccessDenied")
    }

    /// Whether the credentials were valid once.
    pub fn is_expired(&self) -> bool {
        self.code.starts_with("ExpiredToken")
    }

    /// Whether the credentials are unknown to AWS, or the request's signature is wrong.
    pub fn is_unauthenticated(&self) -> bool {
        matches!(
            self.code.as_str(),
            "InvalidClientTokenId"
                | "UnrecognizedClientException"
                | "SignatureDoesNotMatch"
                | "InvalidSignatureException"
                | "IncompleteSignature"
                | "MissingAuthenticationToken"
                | "AuthFailure"
                | "OptInRequired"
        )
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code.as_str() {
            "" => formatter.write_str(&self.message),
            code => write!(formatter, "{} ({code})", self.message.trim_end_matches('.')),
        }
    }
}

impl std::error::Error for ServiceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_has_no_namespace_and_decides_the_kind() {
        let denied = ServiceError::of_json(r#"{"__type":"a.b#AccessDeniedException","Message":"no."}"#);
        assert!(denied.is_denied());
        assert_eq!(denied.to_string(), "no (AccessDeniedException)");
        let expired = ServiceError::of_json(r#"{"__type":"ExpiredTokenException","message":"old"}"#);
        assert!(expired.is_expired() && !expired.is_denied());
        assert_eq!(ServiceError::of_json("<html>").to_string(), "<html>");
    }
}
