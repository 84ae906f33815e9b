//! WebSocket connection: text frames in both directions, and one error type for every way in which it can end.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// The text of a frame.
pub use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Longest wait for a handshake: API Gateway allows `$connect` 29 seconds.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait for the network to take a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Read buffer in bytes. A thousand connections with the default of 128 KB would need more memory than the service that
/// they load.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Largest message in bytes: API Gateway's limit.
const MAX_MESSAGE_BYTES: usize = 128 * 1024;

/// Characters of the service's texts that are shown.
const MAX_SHOWN: usize = 120;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Sends text frames.
#[derive(Debug)]
pub struct Sender(SplitSink<Stream, Message>);

/// Receives text frames.
#[derive(Debug)]
pub struct Receiver(SplitStream<Stream>);

/// Why a connection could not be opened, or has ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// The address is not a WebSocket address.
    #[error("invalid address: {0}")]
    InvalidAddress(String),
    /// No server listens at the address.
    #[error("connection refused")]
    ConnectionRefused,
    /// The handshake was answered with an HTTP status.
    #[error("the handshake was answered with {0}")]
    Status(u16),
    /// The service closed the connection; its code and reason.
    #[error("the connection was closed {0}")]
    Closed(String),
    /// The network failed.
    #[error("the connection failed: {0}")]
    Failed(String),
    /// The service violated the WebSocket protocol, or its certificate is invalid.
    #[error("invalid WebSocket traffic: {0}")]
    Protocol(String),
    /// Nothing happened for too long.
    #[error("no {what} within {} s", .limit.as_secs())]
    TimedOut {
        /// What was expected.
        what: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
}

/// Connects to `address`. `headers` are added to the handshake.
///
/// # Errors
/// If there is no connection.
pub async fn connect(address: &str, headers: &[(&str, &str)]) -> Result<(Sender, Receiver), SocketError> {
    let uri = address.parse().map_err(|_| SocketError::InvalidAddress(escaped(address)))?;
    let request = headers
        .iter()
        .fold(ClientRequestBuilder::new(uri), |request, (name, value)| request.with_header(*name, *value));
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES));
    let connecting = connect_async_with_config(request, Some(config), true);
    let (stream, _response) = timeout(HANDSHAKE_TIMEOUT, connecting)
        .await
        .map_err(|_| SocketError::TimedOut { what: "handshake", limit: HANDSHAKE_TIMEOUT })?
        .map_err(|error| SocketError::of_handshake(&error))?;
    let (sink, stream) = stream.split();
    Ok((Sender(sink), Receiver(stream)))
}

impl Sender {
    /// Sends one text frame, within `limit`.
    ///
    /// # Errors
    /// If the network does not take it.
    pub async fn send(&mut self, text: String, limit: Duration) -> Result<(), SocketError> {
        timeout(limit, self.0.send(Message::text(text)))
            .await
            .map_err(|_| SocketError::TimedOut { what: "progress of the network", limit })?
            .map_err(|error| SocketError::of_traffic(&error))
    }

    /// Sends a close frame.
    pub async fn close(&mut self) {
        let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        // The other side may be gone already; then there is nothing to close.
        let _ = timeout(CLOSE_TIMEOUT, self.0.send(Message::Close(Some(normal)))).await;
    }
}

impl Receiver {
    /// The next text frame. Cancel safe.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn next(&mut self) -> Result<Utf8Bytes, SocketError> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(close))) => return Err(SocketError::of_close(close.as_ref())),
                Some(Ok(Message::Binary(_))) => {
                    return Err(SocketError::Protocol("a binary frame".to_owned()));
                }
                // tungstenite replies to pings by itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(Error::ConnectionClosed)) | None => return Err(SocketError::of_close(None)),
                Some(Err(error)) => return Err(SocketError::of_traffic(&error)),
            }
        }
    }

    /// Waits for the close frame of the other side, but not long.
    pub async fn drain(mut self) {
        // A service that does not reply to a close frame is not reported.
        let _ = timeout(CLOSE_TIMEOUT, async { while let Some(Ok(_)) = self.0.next().await {} }).await;
    }
}

impl SocketError {
    fn of_handshake(error: &Error) -> Self {
        let text = escaped(&error.to_string());
        match error {
            Error::Http(response) => Self::Status(response.status().as_u16()),
            Error::Io(cause) if cause.kind() == ErrorKind::ConnectionRefused => Self::ConnectionRefused,
            // A certificate that is not trusted, or no TLS at all.
            Error::Io(cause) if cause.kind() == ErrorKind::InvalidData => Self::Protocol(text),
            Error::Url(_) | Error::HttpFormat(_) => Self::InvalidAddress(text),
            Error::Protocol(ProtocolError::HandshakeIncomplete) => {
                Self::Closed("during the handshake".to_owned())
            }
            Error::Protocol(_) | Error::Capacity(_) => Self::Protocol(text),
            _ => Self::Failed(text),
        }
    }

    fn of_close(close: Option<&CloseFrame>) -> Self {
        Self::Closed(match close {
            None => "without a close frame".to_owned(),
            Some(close) => {
                let text = format!("with {} {}", u16::from(close.code), escaped(&close.reason));
                text.trim_end().to_owned()
            }
        })
    }

    fn of_traffic(error: &Error) -> Self {
        match error {
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::of_close(None),
            Error::Protocol(_) | Error::Utf8(_) | Error::Capacity(_) => {
                Self::Protocol(escaped(&error.to_string()))
            }
            _ => Self::Failed(escaped(&error.to_string())),
        }
    }
}

/// A text from the network, shortened, without terminal control codes.
pub fn escaped(text: &str) -> String {
    text.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_shows_code_and_reason() {
        let close = CloseFrame { code: CloseCode::Away, reason: "Going away".into() };
        let error = SocketError::of_close(Some(&close));
        assert_eq!(error.to_string(), "the connection was closed with 1001 Going away");
    }

    #[test]
    fn texts_of_the_service_cannot_inject_control_codes() {
        assert_eq!(escaped("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
    }

    #[tokio::test]
    async fn invalid_address_is_reported_as_such() {
        let error = connect("no address", &[]).await.unwrap_err();
        assert!(matches!(error, SocketError::InvalidAddress(_)), "{error:?}");
    }
}
