//! How connections end: close codes, what `$disconnect` is told, and the limits of messages.

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};

use super::registry::Closing;

/// API Gateway's limit of a message.
pub(crate) const MAX_MESSAGE_BYTES: usize = 128 * 1024;
/// API Gateway's limit of a frame; a longer message must come in several.
const MAX_FRAME_BYTES: usize = 32 * 1024;
/// The library's default of 128 KB for each connection is more than most will ever send.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// The code of a connection that broke without a close frame.
const ABNORMAL: u16 = 1006;
/// The code for a reader that is too slow, a policy of this gateway.
const TOO_SLOW: u16 = 1008;
/// The code of a close frame without a code.
const NO_STATUS: u16 = 1005;

/// The end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client closed, with this code and reason.
    ByClient { code: u16, reason: String },
    /// The client vanished, or broke the protocol beyond a close frame.
    Broken,
    /// The gateway closes, with this code and reason.
    ByGateway { code: u16, reason: &'static str },
}

impl End {
    pub(crate) const BINARY: Self = Self::ByGateway { code: 1003, reason: "Binary frames are not supported" };
    pub(crate) const IDLE: Self = Self::ByGateway { code: 1001, reason: "Going away" };
    pub(crate) const EXPIRED: Self = Self::IDLE;

    pub(crate) fn by_client(frame: Option<CloseFrame>) -> Self {
        let (code, reason) = match frame {
            Some(frame) => (u16::from(frame.code), frame.reason.to_string()),
            None => (NO_STATUS, String::new()),
        };
        let default = match code {
            NO_STATUS => "Client-side close frame status not set",
            1000 => "Connection Closed Normally",
            1001 => "Going away",
            _ => "",
        };
        Self::ByClient { code, reason: if reason.is_empty() { default.to_owned() } else { reason } }
    }

    pub(crate) fn asked(closing: Closing) -> Self {
        match closing {
            Closing::Deleted => Self::ByGateway { code: 1000, reason: "Connection Closed Normally" },
            Closing::TooSlow => Self::ByGateway { code: TOO_SLOW, reason: "Too many frames are waiting" },
            Closing::GoingAway => Self::IDLE,
        }
    }

    pub(crate) fn fault(fault: &Error) -> Self {
        match fault {
            Error::Capacity(_) => Self::ByGateway { code: 1009, reason: "Message too long" },
            Error::Utf8(_) => Self::ByGateway { code: 1007, reason: "Invalid UTF-8" },
            Error::Protocol(
                tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            ) => Self::Broken,
            Error::Protocol(_) => Self::ByGateway { code: 1002, reason: "Protocol error" },
            _ => Self::Broken,
        }
    }

    /// What the `$disconnect` event tells.
    pub(crate) fn told(&self) -> (u16, &str) {
        match self {
            Self::ByClient { code, reason } => (*code, reason),
            Self::Broken => (ABNORMAL, "Connection closed abnormally"),
            Self::ByGateway { code, reason } => (*code, reason),
        }
    }

    /// Whether frames that wait are still sent: not to a client that has closed, nor to one that does not read.
    pub(crate) fn lets_queue_finish(&self) -> bool {
        matches!(self, Self::ByGateway { code, .. } if *code != TOO_SLOW)
    }

    /// The close frame that the gateway sends of its own.
    pub(crate) fn frame(&self) -> Option<CloseFrame> {
        match self {
            Self::ByGateway { code, reason } => {
                Some(CloseFrame { code: CloseCode::from(*code), reason: (*reason).into() })
            }
            Self::ByClient { .. } | Self::Broken => None,
        }
    }
}

/// The limits as the WebSocket library takes them.
pub(crate) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES))
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
}
