//! Posts rendered frames to connections and closes them, through API Gateway's `@connections` API.

use std::time::Duration;

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::error::SdkError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use nsl_domain::ids::ConnectionId;
use nsl_domain::time::TimestampMs;

use crate::fault::Fault;

/// HTTP status of a connection that is gone. It also comes without the error code that the SDK checks.
const GONE: u16 = 410;

/// Longest wait for one post to another connection than the sender's, retries included. Short enough for several
/// rounds before the invocation's deadline.
const POST_TIMEOUT: Duration = Duration::from_secs(2);

/// The id of a connection that cannot exist.
const ABSENT: &str = "absent=";

/// The connections of one API.
#[derive(Debug, Clone)]
pub struct ConnectionsApi {
    /// Its endpoint is the API's stage.
    pub(crate) client: Client,
}

/// The outcome of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostOutcome {
    /// API Gateway accepted the frame.
    Delivered,
    /// The connection does not exist any more, or not yet.
    Gone,
}

/// Why a frame was not delivered.
#[derive(Debug)]
pub enum PostFailure {
    /// API Gateway could not be reached, or rejected the call.
    Failed(Fault),
    /// No response came in time.
    TimedOut,
}

impl PostFailure {
    /// Logs that a frame to `connection` was not delivered.
    pub fn log(&self, connection: &ConnectionId) {
        let reason = match self {
            Self::Failed(fault) => fault.chain(),
            Self::TimedOut => "timed out".to_owned(),
        };
        tracing::warn!(%connection, reason, "frame not delivered");
    }
}

impl ConnectionsApi {
    /// Opens the connection to the API ahead of the first frame; any HTTP response counts as success. One call.
    ///
    /// # Errors
    /// A [`Fault`] when the API cannot be reached.
    pub(crate) async fn probe(&self) -> Result<(), Fault> {
        let post = self.client.post_to_connection().connection_id(ABSENT).data(Blob::new("{}"));
        match post.send().await {
            Err(error) if error.raw_response().is_none() => Err(Fault::of("reach the connections", error)),
            _ => Ok(()),
        }
    }

    /// Posts one frame. One call.
    ///
    /// # Errors
    /// A [`Fault`] when API Gateway cannot be reached or rejects the call.
    pub async fn post(&self, connection: &ConnectionId, frame: &str) -> Result<PostOutcome, Fault> {
        let post = self.client.post_to_connection().connection_id(connection.as_str());
        match post.data(Blob::new(frame.as_bytes())).send().await {
            Ok(_) => Ok(PostOutcome::Delivered),
            Err(error) if is_gone(&error) => Ok(PostOutcome::Gone),
            Err(error) => Err(Fault::of("post to connection", error)),
        }
    }

    /// Posts one frame within [`POST_TIMEOUT`]. One call.
    ///
    /// # Errors
    /// [`PostFailure`] when API Gateway rejects the call, or does not respond in time.
    pub async fn post_with_timeout(
        &self,
        connection: &ConnectionId,
        frame: &str,
    ) -> Result<PostOutcome, PostFailure> {
        match tokio::time::timeout(POST_TIMEOUT, self.post(connection, frame)).await {
            Ok(outcome) => outcome.map_err(PostFailure::Failed),
            Err(_elapsed) => Err(PostFailure::TimedOut),
        }
    }

    /// When a connection was last active, `lastActiveAt` of GetConnection; `None` if it is gone. One call. AWS documents no
    /// more than that; a frame to the connection may count too.
    ///
    /// # Errors
    /// A [`Fault`] when API Gateway cannot be reached or rejects the call.
    pub async fn last_active(&self, connection: &ConnectionId) -> Result<Option<TimestampMs>, Fault> {
        const ATTEMPT: &str = "look at connection";
        match self.client.get_connection().connection_id(connection.as_str()).send().await {
            Ok(found) => {
                let at = found.last_active_at.and_then(|at| at.to_millis().ok());
                // A connection whose activity is not stated counts as active.
                Ok(Some(TimestampMs::clamped(at.unwrap_or(i64::MAX))))
            }
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(Fault::of(ATTEMPT, error)),
        }
    }

    /// Closes a connection; idempotent. One call.
    ///
    /// # Errors
    /// A [`Fault`] when API Gateway cannot be reached or rejects the call.
    pub async fn close(&self, connection: &ConnectionId) -> Result<(), Fault> {
        match self.client.delete_connection().connection_id(connection.as_str()).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(Fault::of("close connection", error)),
        }
    }
}

fn is_gone<E>(error: &SdkError<E>) -> bool {
    error.raw_response().is_some_and(|response| response.status().as_u16() == GONE)
}
