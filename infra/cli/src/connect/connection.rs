//! One admitted WebSocket connection: frames out, frames in, and a verdict when it no longer carries them.
//!
//! A connection that leaves a question unanswered is lost, for TCP alone may take a quarter of an hour to notice.

use crate::target::Target;
use crate::wire::{Auth, ClientFrame, Heard, Rejection, ServiceFrame, hear};
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message, http::StatusCode};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longest wait for a handshake: API Gateway gives `$connect` 29 seconds at most.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);

/// Longest wait for the answer to a frame that has one, and for the network to take a frame.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Longest wait for the other side's close frame.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Why a connection is gone, or never came to be. Each tells its cause itself: WebSocket's errors repeat theirs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// No connection was made.
    #[error("cannot connect to {ws}: {cause}")]
    Dial { ws: String, cause: Box<tungstenite::Error> },
    /// The handshake or the credentials were refused.
    #[error("refused: {0}")]
    Refused(Rejection),
    /// API Gateway could not hand a frame on while admission was pending.
    #[error("the gateway failed: {message}")]
    Gateway { message: String },
    /// The other side closed.
    #[error("the service closed the connection{}", told(.0.as_ref()))]
    Closed(Option<CloseFrame>),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(Box<tungstenite::Error>),
    /// The other side no longer answers.
    #[error("no answer for {} s", ANSWER_LIMIT.as_secs())]
    Silent,
}

impl Lost {
    /// Whether the same attempt would fail again for ever.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Refused(rejection) => !rejection.retryable,
            Self::Dial { cause, .. } => matches!(**cause, tungstenite::Error::Url(_)),
            _ => false,
        }
    }
}

fn told(close: Option<&CloseFrame>) -> String {
    match close {
        None => String::new(),
        Some(close) if close.reason.is_empty() => format!(" ({})", u16::from(close.code)),
        Some(close) => format!(" ({} {})", u16::from(close.code), close.reason.as_str().escape_debug()),
    }
}

/// An admitted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// When the oldest question without any answer was asked.
    asked_at: Option<Instant>,
}

impl Connection {
    /// Dials and proves who speaks. Returns once the service has said yes.
    pub(crate) async fn open(target: &Target) -> Result<Self, Lost> {
        let (socket, _) = timeout(HANDSHAKE_LIMIT, connect_async(&target.address))
            .await
            .map_err(|_| Lost::Silent)?
            .map_err(|error| dial_failure(&target.address, error))?;
        let mut connection = Self { socket, asked_at: None };
        let data = Auth::of(&target.app_id, &target.credential);
        connection.send(&ClientFrame::Auth { data }).await?;
        loop {
            match connection.hear().await? {
                Heard::Frame(ServiceFrame::AuthSuccess) => return Ok(connection),
                Heard::Frame(ServiceFrame::Error { payload }) => {
                    connection.close().await;
                    return Err(Lost::Refused(payload));
                }
                Heard::Gateway { message } => {
                    connection.close().await;
                    return Err(Lost::Gateway { message });
                }
                Heard::Frame(_) | Heard::Garbage => {}
            }
        }
    }

    /// Sends one frame.
    pub(crate) async fn send(&mut self, frame: &ClientFrame<'_>) -> Result<(), Lost> {
        if frame.expects_answer() && self.asked_at.is_none() {
            self.asked_at = Some(Instant::now());
        }
        let text = serde_json::to_string(frame)
            .map_err(|error| Lost::Broken(Box::new(tungstenite::Error::Io(std::io::Error::other(error)))))?;
        timeout(ANSWER_LIMIT, self.socket.send(Message::text(text)))
            .await
            .map_err(|_| Lost::Silent)?
            .map_err(|error| Lost::Broken(Box::new(error)))
    }

    /// The next text frame. May be dropped while it waits: no frame is lost by that.
    pub(crate) async fn hear(&mut self) -> Result<Heard, Lost> {
        loop {
            let received = match self.asked_at {
                None => self.socket.next().await,
                Some(asked_at) => {
                    timeout_at(asked_at + ANSWER_LIMIT, self.socket.next()).await.map_err(|_| Lost::Silent)?
                }
            };
            match received {
                Some(Ok(Message::Text(text))) => {
                    self.asked_at = None;
                    return Ok(hear(text.as_str()));
                }
                Some(Ok(Message::Close(close))) => return Err(Lost::Closed(close)),
                // Pings are answered below this layer; no binary frame is part of the protocol.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Lost::Broken(Box::new(error))),
                None => return Err(Lost::Closed(None)),
            }
        }
    }

    /// Says goodbye, and does not wait long for an answer.
    pub(crate) async fn close(mut self) {
        let farewell = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let goodbye = async {
            if self.socket.close(Some(farewell)).await.is_ok() {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        // The other side may be gone; there is nothing left to do about it.
        let _ = timeout(CLOSE_LIMIT, goodbye).await;
    }
}

fn dial_failure(ws: &str, error: tungstenite::Error) -> Lost {
    if let tungstenite::Error::Http(response) = &error {
        let code = match response.status() {
            StatusCode::UNAUTHORIZED => "unauthorized",
            StatusCode::FORBIDDEN => "forbidden",
            _ => return Lost::Dial { ws: ws.to_owned(), cause: Box::new(error) },
        };
        return Lost::Refused(Rejection {
            code: code.to_owned(),
            message: format!("the handshake was answered with {}", response.status().as_u16()),
            id: None,
            retryable: false,
        });
    }
    Lost::Dial { ws: ws.to_owned(), cause: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Credential;

    fn rejection(retryable: bool) -> Rejection {
        Rejection { code: "c".to_owned(), message: "m".to_owned(), id: None, retryable }
    }

    #[test]
    fn only_refusals_that_nothing_mends_are_final() {
        assert!(Lost::Refused(rejection(false)).is_final());
        assert!(!Lost::Refused(rejection(true)).is_final());
        assert!(!Lost::Silent.is_final());
        assert!(!Lost::Closed(None).is_final());
    }

    #[test]
    fn close_is_told_with_code_and_reason() {
        let close = CloseFrame { code: CloseCode::Away, reason: "Going away".into() };
        let lost = Lost::Closed(Some(close));
        assert_eq!(lost.to_string(), "the service closed the connection (1001 Going away)");
    }

    #[tokio::test]
    async fn address_that_is_none_is_final() {
        let credential = Credential::Key("k".to_owned());
        let target = Target { address: "no address".to_owned(), app_id: "a".to_owned(), credential };
        let lost = Connection::open(&target).await.unwrap_err();
        assert!(lost.is_final() || matches!(lost, Lost::Dial { .. }), "{lost:?}");
    }
}
