//! Counts the calls to DynamoDB that it throttles, and those that fail after all attempts.
//!
//! At the client, because many a failed call ends in a log line only: the frame, the batch or the handshake goes on.

use std::fmt;

use aws_sdk_dynamodb::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use serde_json::Value;

use crate::counters::{Counter, SharedCounts};

/// Counts the calls of the clients that it is an interceptor of.
#[derive(Clone)]
pub(crate) struct FailedCalls {
    pub(crate) counts: SharedCounts,
}

impl FailedCalls {
    /// Counts the call of `config` as a read or a write.
    fn count(&self, config: &ConfigBag, read: Counter, write: Counter) {
        self.counts.add(if is_read(config) { read } else { write }, 1);
    }
}

impl fmt::Debug for FailedCalls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FailedCalls")
    }
}

impl Intercept for FailedCalls {
    fn name(&self) -> &'static str {
        "FailedCalls"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if Outcome::of(context) == Outcome::Throttled {
            self.count(config, Counter::ThrottledReads, Counter::ThrottledWrites);
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if matches!(Outcome::of(context), Outcome::Throttled | Outcome::Failed) {
            self.count(config, Counter::FailedReads, Counter::FailedWrites);
        }
        Ok(())
    }
}

/// Whether the operation reads items.
fn is_read(config: &ConfigBag) -> bool {
    let operation = config.load::<Metadata>().map(Metadata::name);
    matches!(operation, Some("GetItem" | "BatchGetItem" | "TransactGetItems" | "Query" | "Scan"))
}

/// What became of an attempt, or of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It succeeded, its condition was false, or another writer was faster: none of them is a failure.
    Answered,
    Throttled,
    Failed,
}

impl Outcome {
    fn of(context: &FinalizerInterceptorContextRef<'_>) -> Self {
        if !matches!(context.output_or_error(), Some(Err(_))) {
            return Self::Answered;
        }
        let body = context.response().and_then(|response| response.body().bytes());
        body.map_or(Self::Failed, Self::of_error)
    }

    /// The outcome of a call that DynamoDB answered with the error `body`.
    fn of_error(body: &[u8]) -> Self {
        let error: Value = serde_json::from_slice(body).unwrap_or_default();
        let code = error.get("__type").and_then(Value::as_str).unwrap_or_default();
        match code.rsplit('#').next().unwrap_or_default() {
            "ConditionalCheckFailedException" | "TransactionConflictException" => Self::Answered,
            "TransactionCanceledException" if has_throttled_action(&error) => Self::Throttled,
            "TransactionCanceledException" => Self::Answered,
            "ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded" => {
                Self::Throttled
            }
            _ => Self::Failed,
        }
    }
}

/// Whether a transaction was cancelled because one of its actions was throttled.
fn has_throttled_action(error: &Value) -> bool {
    let reasons = error.get("CancellationReasons").and_then(Value::as_array);
    let is_throttled = |reason: &Value| {
        matches!(
            reason.get("Code").and_then(Value::as_str),
            Some("ProvisionedThroughputExceeded" | "ThrottlingError")
        )
    };
    reasons.is_some_and(|reasons| reasons.iter().any(is_throttled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_throttled_failed_or_an_answer() {
        let cancelled = |code| {
            format!(
                r#"{{"__type":"x#TransactionCanceledException","CancellationReasons":[{{"Code":"None"}},{{"Code":"{code}"}}]}}"#
            )
        };
        for (body, outcome) in [
            (
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}"#.to_owned(),
                Outcome::Throttled,
            ),
            (r#"{"__type":"x#ProvisionedThroughputExceededException"}"#.to_owned(), Outcome::Throttled),
            (r#"{"__type":"x#ConditionalCheckFailedException"}"#.to_owned(), Outcome::Answered),
            (r#"{"__type":"x#ResourceNotFoundException"}"#.to_owned(), Outcome::Failed),
            (r#"{"__type":"x#InternalServerError"}"#.to_owned(), Outcome::Failed),
            ("<html>".to_owned(), Outcome::Failed),
            (cancelled("ThrottlingError"), Outcome::Throttled),
            (cancelled("ConditionalCheckFailed"), Outcome::Answered),
            (cancelled("TransactionConflict"), Outcome::Answered),
        ] {
            assert_eq!(Outcome::of_error(body.as_bytes()), outcome, "{body}");
        }
    }
}
