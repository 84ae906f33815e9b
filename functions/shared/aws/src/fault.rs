//! What can fail on our side, by kind, and the one conversion from SDK errors.
//!
//! "Gone" and "not found" are outcomes of a call, never faults.

use std::error::Error;

use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;

/// The kind of a fault, which decides how it is handled.
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
    /// The code panicked.
    Panicked,
}

/// A failure on our side.
#[derive(Debug, thiserror::Error)]
#[error("{attempt}: {kind:?}")]
pub struct Fault {
    /// Its kind.
    pub kind: Kind,
    /// What was attempted on what, such as "put report".
    pub attempt: &'static str,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// The fault of a call that failed with `error`.
    pub(crate) fn of<E, R>(attempt: &'static str, error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let kind =
            error.as_service_error().and_then(ProvideErrorMetadata::code).map_or(Kind::Unavailable, kind_of);
        Self { kind, attempt, source: Some(Box::new(error)) }
    }

    /// The fault of a request that the SDK cannot build: a mistake in this crate.
    pub(crate) fn of_request(attempt: &'static str, error: BuildError) -> Self {
        Self { kind: Kind::Misconfigured, attempt, source: Some(Box::new(error)) }
    }

    /// The fault of a rollup that cannot be decoded or encoded.
    pub fn corrupt_rollup(attempt: &'static str, cause: impl Error + Send + Sync + 'static) -> Self {
        Self { kind: Kind::Corrupt, attempt, source: Some(Box::new(cause)) }
    }

    /// The error and its causes in one line, for a log.
    pub fn chain(&self) -> String {
        causes(self)
    }
}

/// An error and its causes in one line.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The output of a conditional write; `None` where its condition did not hold.
pub(crate) fn if_condition_held<O, E, R>(
    attempt: &'static str,
    sent: Result<O, SdkError<E, R>>,
) -> Result<Option<O>, Fault>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = |error: &SdkError<E, R>| error.as_service_error()?.code().map(str::to_owned);
    match sent {
        Err(error) if code(&error).as_deref() == Some("ConditionalCheckFailedException") => Ok(None),
        sent => sent.map(Some).map_err(|error| Fault::of(attempt, error)),
    }
}

/// Whether a transaction was cancelled for one of the reasons `codes`.
pub(crate) fn is_cancelled_by<R>(error: &SdkError<TransactWriteItemsError, R>, codes: &[&str]) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        return false;
    };
    let reasons = cancelled.cancellation_reasons().iter();
    reasons.filter_map(|reason| reason.code()).any(|code| codes.contains(&code))
}

/// The kind of a DynamoDB or API Gateway error code.
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
    fn error_code_decides_kind() {
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
