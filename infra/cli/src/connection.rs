//! An authenticated WebSocket connection. It counts as lost if the service does not reply to a frame in time, because
//! TCP alone may take a quarter of an hour to notice a dead peer.

use crate::target::Target;
use nsl_client::frame::{Auth, ClientFrame, Rejection, ServiceFrame};
use nsl_client::socket::{self, Receiver, Sender, SocketError, Utf8Bytes};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Longest wait for a reply, and for the network to take a frame.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a connection could not be opened, or has ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// The handshake failed.
    #[error("cannot connect to {address}: {cause}")]
    Connect { address: String, cause: SocketError },
    /// The credential or the subscription was rejected.
    #[error("rejected: {0}")]
    Rejected(Rejection),
    /// API Gateway could not deliver a frame whose reply is needed.
    #[error("API Gateway reported an error: {0}")]
    Gateway(String),
    /// The connection ended.
    #[error(transparent)]
    Ended(#[from] SocketError),
}

impl Lost {
    /// Whether another attempt would fail in the same way.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Rejected(rejection) => !rejection.retryable,
            Self::Connect { cause, .. } => matches!(cause, SocketError::InvalidAddress(_)),
            Self::Gateway(_) | Self::Ended(_) => false,
        }
    }
}

/// An authenticated connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: Sender,
    receiver: Receiver,
    /// When the oldest frame without a reply was sent.
    waiting_since: Option<Instant>,
}

impl Connection {
    /// Connects and authenticates.
    pub(crate) async fn open(target: &Target) -> Result<Self, Lost> {
        let connected = Self::connect(&target.address, &[]).await;
        let mut connection = connected.map_err(|cause| connect_error(&target.address, cause))?;
        let data = Auth { app_id: &target.app_id, credential: &target.credential };
        connection.send(&ClientFrame::Auth { data }).await?;
        loop {
            let text = connection.receive().await?;
            let lost = match ServiceFrame::parse(&text) {
                ServiceFrame::AuthSuccess => return Ok(connection),
                ServiceFrame::Error(rejection) => Lost::Rejected(rejection),
                ServiceFrame::GatewayError(message) => Lost::Gateway(message),
                ServiceFrame::Ack(_)
                | ServiceFrame::Subscribed(_)
                | ServiceFrame::Replay(_)
                | ServiceFrame::Metrics(_)
                | ServiceFrame::Pong
                | ServiceFrame::Other
                | ServiceFrame::Malformed => continue,
            };
            connection.close().await;
            return Err(lost);
        }
    }

    /// Connects with these headers, which may contain a credential.
    pub(crate) async fn connect(address: &str, headers: &[(&str, &str)]) -> Result<Self, SocketError> {
        let (sender, receiver) = socket::connect(address, headers).await?;
        Ok(Self { sender, receiver, waiting_since: None })
    }

    /// Sends one frame that is replied to.
    pub(crate) async fn send_text(&mut self, frame: String) -> Result<(), SocketError> {
        self.waiting_since.get_or_insert_with(Instant::now);
        self.sender.send(frame, REPLY_TIMEOUT).await
    }

    /// Sends one frame.
    pub(crate) async fn send(&mut self, frame: &ClientFrame<'_>) -> Result<(), SocketError> {
        if frame.expects_reply() && self.waiting_since.is_none() {
            self.waiting_since = Some(Instant::now());
        }
        let text = serde_json::to_string(frame).map_err(|error| SocketError::Failed(error.to_string()))?;
        self.sender.send(text, REPLY_TIMEOUT).await
    }

    /// The next text frame. Cancel safe.
    pub(crate) async fn receive(&mut self) -> Result<Utf8Bytes, SocketError> {
        let text = match self.waiting_since {
            None => self.receiver.next().await,
            Some(since) => timeout_at(since + REPLY_TIMEOUT, self.receiver.next())
                .await
                .unwrap_or(Err(SocketError::TimedOut { what: "reply", limit: REPLY_TIMEOUT })),
        }?;
        self.waiting_since = None;
        Ok(text)
    }

    /// Closes the connection.
    pub(crate) async fn close(mut self) {
        self.sender.close().await;
        self.receiver.drain().await;
    }
}

fn connect_error(address: &str, cause: SocketError) -> Lost {
    let code = match cause {
        SocketError::Status(401) => "unauthorized",
        SocketError::Status(403) => "forbidden",
        cause => return Lost::Connect { address: address.to_owned(), cause },
    };
    let message = cause.to_string();
    Lost::Rejected(Rejection { code: code.to_owned(), message, id: None, index: None, retryable: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_permanent_rejections_and_invalid_addresses_are_final() {
        let rejected = |retryable| {
            let (code, message) = ("c".to_owned(), "m".to_owned());
            Lost::Rejected(Rejection { code, message, id: None, index: None, retryable })
        };
        assert!(rejected(false).is_final());
        assert!(!rejected(true).is_final());
        assert!(!Lost::Ended(SocketError::Closed(String::new())).is_final());
        assert!(connect_error("a", SocketError::InvalidAddress("a".to_owned())).is_final());
        assert!(!connect_error("a", SocketError::ConnectionRefused).is_final());
        assert!(connect_error("a", SocketError::Status(403)).is_final());
        assert!(!connect_error("a", SocketError::Status(502)).is_final());
    }
}
