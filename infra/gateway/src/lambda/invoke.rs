//! The one seam through which everything invokes functions, and what can come of it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value as Json;

use super::fleet::Fleet;
use super::remote::Remote;

/// An invocation without a result.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum InvokeFailure {
    /// The function ran and reported an error, or ended, or took longer than its own timeout.
    #[error("{message}")]
    Function { message: String },
    /// The caller's own time was over before the result was there.
    #[error("no result within the integration's timeout")]
    TimedOut,
    /// The function could not be run at all.
    #[error("{0}")]
    Unavailable(String),
}

/// Runs functions, here or elsewhere.
#[derive(Debug)]
pub(crate) enum Invoker {
    /// As child processes of the gateway.
    Processes(Fleet),
    /// Through another Lambda endpoint.
    Remote(Remote),
}

impl Invoker {
    /// Invokes `function` (a logical id) with `event`; the caller waits at most `patience`, queueing included.
    pub(crate) async fn invoke(
        &self,
        function: &str,
        event: &Json,
        patience: Duration,
    ) -> Result<Bytes, InvokeFailure> {
        let event = Bytes::from(event.to_string());
        let result = async {
            match self {
                Self::Processes(fleet) => fleet.invoke(function, event).await,
                Self::Remote(remote) => remote.invoke(function, event).await,
            }
        };
        tokio::time::timeout(patience, result).await.unwrap_or(Err(InvokeFailure::TimedOut))
    }

    /// Ends what was started, after the invocations under way are over.
    pub(crate) async fn stop(&self) {
        if let Self::Processes(fleet) = self {
            fleet.stop().await;
        }
    }
}
