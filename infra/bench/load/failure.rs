//! Failures of connections and violations of the protocol, counted by kind and text.

use nsl_client::http::HttpError;
use nsl_client::socket::{SocketError, escaped};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Different failures that are counted separately; further ones are counted by kind.
const MAX_DIFFERENT: usize = 40;

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FailureKind {
    /// No server listens, or the handshake or a frame was rejected.
    Refused,
    /// The connection ended early.
    Closed,
    /// A reply or a delivery did not arrive in time.
    #[serde(rename = "timed out")]
    TimedOut,
    /// A reply or a delivery violates the protocol.
    Wrong,
}

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) what: String,
}

impl Failure {
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self { kind: FailureKind::Refused, what: what.into() }
    }

    pub(crate) fn wrong(what: impl Into<String>) -> Self {
        Self { kind: FailureKind::Wrong, what: what.into() }
    }

    /// `what` did not arrive within `limit`.
    pub(crate) fn timed_out(what: &'static str, limit: Duration) -> Self {
        SocketError::TimedOut { what, limit }.into()
    }
}

impl From<SocketError> for Failure {
    fn from(error: SocketError) -> Self {
        let kind = match error {
            SocketError::InvalidAddress(_) | SocketError::ConnectionRefused | SocketError::Status(_) => {
                FailureKind::Refused
            }
            SocketError::Closed(_) | SocketError::Failed(_) => FailureKind::Closed,
            SocketError::TimedOut { .. } => FailureKind::TimedOut,
            SocketError::Protocol(_) => FailureKind::Wrong,
        };
        Self { kind, what: error.to_string() }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let kind = match error {
            HttpError::Connect { .. } | HttpError::Status { .. } => FailureKind::Refused,
            HttpError::TimedOut { .. } => FailureKind::TimedOut,
            HttpError::Interrupted { .. } => FailureKind::Closed,
        };
        Self { kind, what: escaped(&error.to_string()) }
    }
}

/// A failure and how often it occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FailureCount {
    #[serde(flatten)]
    pub(crate) failure: Failure,
    pub(crate) count: u64,
}

impl std::fmt::Display for FailureCount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.failure.kind {
            FailureKind::Refused => "refused",
            FailureKind::Closed => "closed",
            FailureKind::TimedOut => "timed out",
            FailureKind::Wrong => "wrong",
        };
        write!(formatter, "{} x {kind}: {}", self.count, self.failure.what)
    }
}

/// The failures of a run.
#[derive(Debug, Default)]
pub(crate) struct Failures(BTreeMap<Failure, u64>);

impl Failures {
    /// Counts one.
    pub(crate) fn add(&mut self, failure: Failure) {
        let is_listed = self.0.contains_key(&failure) || self.0.len() < MAX_DIFFERENT;
        let other = Failure { kind: failure.kind, what: "others of this kind".to_owned() };
        *self.0.entry(if is_listed { failure } else { other }).or_default() += 1;
    }

    /// The number of failures.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Each failure with its count.
    pub(crate) fn counts(&self) -> Vec<FailureCount> {
        let count =
            |(failure, count): (&Failure, &u64)| FailureCount { failure: failure.clone(), count: *count };
        self.0.iter().map(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_failures_are_counted_together_and_their_number_is_bounded() {
        let closed: Failure = SocketError::Closed("with 1001".to_owned()).into();
        let mut failures = Failures::default();
        for number in 0..1_000 {
            failures.add(Failure::wrong(format!("frame {number}")));
            failures.add(closed.clone());
        }
        assert_eq!(failures.total(), 2_000);
        assert!(failures.counts().len() <= MAX_DIFFERENT + 1);
        assert!(failures.counts().contains(&FailureCount { failure: closed, count: 1_000 }));
    }
}
