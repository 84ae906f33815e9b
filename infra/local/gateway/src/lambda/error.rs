//! Invocations that fail, and Lambda's error documents.

use serde_json::Value as Json;

/// The error message with which an authorizer rejects a caller. It is a decision, not a failure.
pub(crate) const UNAUTHORIZED: &str = "Unauthorized";

/// An invocation without a result.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum InvokeError {
    /// The function returned an error, exited, or exceeded its own timeout.
    #[error("{message}")]
    Function { message: String },
    /// The caller's timeout passed first.
    #[error("no result within the integration's timeout")]
    TimedOut,
    /// The function could not be invoked.
    #[error("{0}")]
    Unavailable(String),
}

/// The message of an error document, or the whole body if it is not one.
pub(crate) fn error_message(body: &[u8]) -> String {
    let document: Option<Json> = serde_json::from_slice(body).ok();
    let message = document.as_ref().and_then(|document| document.get("errorMessage")).and_then(Json::as_str);
    message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}
