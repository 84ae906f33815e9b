//! How connections end: the close code and reason, for the close frame and for `$disconnect`.

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};

/// API Gateway's limit for a message.
pub(crate) const MAX_MESSAGE_BYTES: usize = 128 * 1024;
/// API Gateway's limit for a frame; a longer message must be split into several.
const MAX_FRAME_BYTES: usize = 32 * 1024;
/// tungstenite's default of 128 KB for each connection is more than most clients ever send.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// The code of a connection that broke without a close frame.
const ABNORMAL: u16 = 1006;
/// The code of a client that reads too slowly; this gateway's choice.
const TOO_SLOW: u16 = 1008;
/// The code of a close frame without a code.
const NO_STATUS: u16 = 1005;

/// The end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disconnect {
    ByClient {
        code: u16,
        reason: String,
    },
    /// The client disconnected without a close frame.
    Broken,
    ByGateway {
        code: u16,
        reason: &'static str,
    },
}

impl Disconnect {
    pub(crate) const BINARY_FRAME: Self =
        Self::ByGateway { code: 1003, reason: "Binary frames are not supported" };
    /// `DELETE @connections`.
    pub(crate) const DELETED: Self = Self::ByGateway { code: 1000, reason: "Connection Closed Normally" };
    /// The client does not read as fast as it is sent to.
    pub(crate) const TOO_SLOW: Self =
        Self::ByGateway { code: TOO_SLOW, reason: "Too many frames are waiting" };
    /// For idle connections, for those that reached the maximum duration, and when the gateway stops.
    pub(crate) const GOING_AWAY: Self = Self::ByGateway { code: 1001, reason: "Going away" };

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

    pub(crate) fn from_error(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::ByGateway { code: 1009, reason: "Message too long" },
            Error::Utf8(_) => Self::ByGateway { code: 1007, reason: "Invalid UTF-8" },
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Broken,
            Error::Protocol(_) => Self::ByGateway { code: 1002, reason: "Protocol error" },
            _ => Self::Broken,
        }
    }

    /// The code and reason in the `$disconnect` event.
    pub(crate) fn code_and_reason(&self) -> (u16, &str) {
        match self {
            Self::ByClient { code, reason } => (*code, reason),
            Self::Broken => (ABNORMAL, "Connection closed abnormally"),
            Self::ByGateway { code, reason } => (*code, reason),
        }
    }

    /// Whether queued frames are still sent: not to a client that has closed, nor to one that does not read.
    pub(crate) fn sends_queued_frames(&self) -> bool {
        matches!(self, Self::ByGateway { code, .. } if *code != TOO_SLOW)
    }

    /// The close frame that the gateway sends by itself.
    pub(crate) fn close_frame(&self) -> Option<CloseFrame> {
        match self {
            Self::ByGateway { code, reason } => {
                Some(CloseFrame { code: CloseCode::from(*code), reason: (*reason).into() })
            }
            Self::ByClient { .. } | Self::Broken => None,
        }
    }
}

/// API Gateway's limits, as tungstenite's configuration.
pub(crate) fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES))
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
}
