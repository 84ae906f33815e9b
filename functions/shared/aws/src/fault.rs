//! What can go wrong on our side, and how it is told from what callers do wrong.
//!
//! Owns the closed list of kinds and the one conversion from SDK errors. Refuses "gone" and "not found": those are
//! answers.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// The kind of a fault, which decides what is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// AWS asks for fewer calls.
    Throttled,
    /// Another writer was faster.
    Conflict,
    /// Not reached, timed out, or failing.
    Unavailable,
    /// A stored item cannot be read.
    Corrupt,
    /// A table is missing, or a permission.
    Misconfigured,
}

/// A fault: its kind, what was attempted on what, and the cause.
#[derive(Debug, thiserror::Error)]
#[error("{attempt}: {kind:?}")]
pub struct Fault {
    /// What decides.
    pub kind: Kind,
    /// What was attempted on what, such as "put report".
    pub attempt: &'static str,
    /// What AWS or the item said.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// The fault that `error` is, met when attempting `attempt`.
    pub(crate) fn of<E, R>(attempt: &'static str, error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let kind =
            error.as_service_error().and_then(ProvideErrorMetadata::code).map_or(Kind::Unavailable, kind_of);
        Self { kind, attempt, source: Some(Box::new(error)) }
    }

    /// The whole chain of causes in one line, for a log.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause: Option<&dyn Error> = Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// The kind that a DynamoDB or API Gateway error code belongs to.
fn kind_of(code: &str) -> Kind {
    match code {
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "LimitExceededException" => Kind::Throttled,
        "ConditionalCheckFailedException"
        | "TransactionConflictException"
        | "TransactionCanceledException" => Kind::Conflict,
        "ResourceNotFoundException"
        | "AccessDeniedException"
        | "ForbiddenException"
        | "ValidationException"
        | "UnrecognizedClientException" => Kind::Misconfigured,
        _ => Kind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_the_kind() {
        for (code, kind) in [
            ("ThrottlingException", Kind::Throttled),
            ("TransactionConflictException", Kind::Conflict),
            ("ResourceNotFoundException", Kind::Misconfigured),
            ("InternalServerError", Kind::Unavailable),
        ] {
            assert_eq!(kind_of(code), kind, "{code}");
        }
    }
}
