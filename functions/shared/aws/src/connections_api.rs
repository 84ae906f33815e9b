//! The connections API: posts rendered frames to connections, and closes them.
//!
//! Owns what a post's outcome means. "Gone" is an answer. Refuses to know what a frame says.

use std::time::Duration;

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use nsl_domain::ids::ConnectionId;

use crate::fault::Fault;

/// HTTP status of a connection that is not there: also met without the error code that the SDK looks for.
const GONE: u16 = 410;

/// Longest wait for one post to somebody else than who speaks, retries included. Below the functions' own timeout by
/// enough for several waves.
const PATIENCE: Duration = Duration::from_secs(2);

/// The name of a connection that cannot be there.
const NOBODY: &str = "nobody=";

/// Posts frames to the connections of one API.
#[derive(Debug, Clone)]
pub struct ConnectionsApi {
    client: Client,
}

/// What became of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostOutcome {
    /// API Gateway took the frame.
    Delivered,
    /// There is no such connection any more, or not yet.
    Gone,
}

/// Why a frame did not get through.
#[derive(Debug)]
pub enum PostFailure {
    /// API Gateway could not be reached, or refused.
    Failed(Fault),
    /// Nothing was heard of it for too long.
    TimedOut,
}

impl PostFailure {
    /// Logs that a frame to `connection` was not delivered.
    pub fn log(&self, connection: &ConnectionId) {
        match self {
            Self::Failed(fault) => {
                tracing::warn!(%connection, reason = fault.chain(), "a frame was not delivered");
            }
            Self::TimedOut => tracing::warn!(%connection, "a frame was not delivered in time"),
        }
    }
}

impl ConnectionsApi {
    /// Posts through `client`, whose endpoint is that of the API's stage.
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Posts to nobody, so that the way to the API is open before a frame needs it. One call, and whatever the API
    /// answers is well: what it says of somebody is told when there is somebody.
    ///
    /// # Errors
    /// A [`Fault`] when the API cannot be reached.
    pub(crate) async fn touch(&self) -> Result<(), Fault> {
        let post = self.client.post_to_connection().connection_id(NOBODY).data(Blob::new("{}"));
        match post.send().await {
            Err(error) if error.raw_response().is_none() => Err(Fault::of("reach the connections", error)),
            _ => Ok(()),
        }
    }

    /// Posts one frame. One call.
    ///
    /// # Errors
    /// A [`Fault`] when API Gateway cannot be reached or refuses.
    pub async fn post(&self, connection: &ConnectionId, frame: &str) -> Result<PostOutcome, Fault> {
        let post = self.client.post_to_connection().connection_id(connection.as_str());
        match post.data(Blob::new(frame.as_bytes())).send().await {
            Ok(_) => Ok(PostOutcome::Delivered),
            Err(error) if is_gone(error.raw_response().map(|response| response.status().as_u16())) => {
                Ok(PostOutcome::Gone)
            }
            Err(error) => Err(Fault::of("post to connection", error)),
        }
    }

    /// Posts one frame, and gives up after [`PATIENCE`]. One call.
    ///
    /// # Errors
    /// [`PostFailure`] when API Gateway refuses, or is not reached in time.
    pub async fn post_with_timeout(
        &self,
        connection: &ConnectionId,
        frame: &str,
    ) -> Result<PostOutcome, PostFailure> {
        match tokio::time::timeout(PATIENCE, self.post(connection, frame)).await {
            Ok(delivery) => delivery.map_err(PostFailure::Failed),
            Err(_elapsed) => Err(PostFailure::TimedOut),
        }
    }

    /// Closes a connection, there or not. One call.
    ///
    /// # Errors
    /// A [`Fault`] when API Gateway cannot be reached or refuses.
    pub async fn close(&self, connection: &ConnectionId) -> Result<(), Fault> {
        match self.client.delete_connection().connection_id(connection.as_str()).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_gone(error.raw_response().map(|response| response.status().as_u16())) => Ok(()),
            Err(error) => Err(Fault::of("close connection", error)),
        }
    }
}

fn is_gone(status: Option<u16>) -> bool {
    status == Some(GONE)
}
