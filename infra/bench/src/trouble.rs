//! What went wrong on the wire, told apart by what a person would do about it.
//!
//! Refused: the other side said no. Closed: it ended or broke the connection. Timed out: it said nothing.
//! Wrong: it said what the protocol does not allow.

use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_tungstenite::tungstenite::{self, protocol::CloseFrame};

/// Most characters of the other side's words that are repeated.
const MAX_WORDS: usize = 120;

/// Most different troubles that are kept apart; the rest of a flood is counted under its kind.
const MAX_DIFFERENT: usize = 40;

/// One thing that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum Trouble {
    /// Nobody listens, the handshake was answered with a status, or a frame with a rejection.
    #[error("refused: {0}")]
    Refused(String),
    /// The connection ended before its time.
    #[error("closed: {0}")]
    Closed(String),
    /// Something that must be answered was not.
    #[error("timed out: {0}")]
    TimedOut(String),
    /// An answer or a delivery that the protocol does not allow.
    #[error("wrong: {0}")]
    Wrong(String),
}

impl Trouble {
    /// The trouble of a handshake that failed.
    pub(crate) fn of_handshake(error: &tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Http(response) => {
                Self::Refused(format!("the handshake was answered with {}", response.status().as_u16()))
            }
            tungstenite::Error::Io(cause) if cause.kind() == std::io::ErrorKind::ConnectionRefused => {
                Self::Refused("nobody listens there".to_owned())
            }
            // A certificate that nobody vouches for, or no TLS at all.
            tungstenite::Error::Io(cause) if cause.kind() == std::io::ErrorKind::InvalidData => {
                Self::Wrong(words(&error.to_string()))
            }
            tungstenite::Error::Url(_) | tungstenite::Error::HttpFormat(_) => {
                Self::Refused(words(&error.to_string()))
            }
            tungstenite::Error::Protocol(tungstenite::error::ProtocolError::HandshakeIncomplete) => {
                Self::Closed("during the handshake".to_owned())
            }
            tungstenite::Error::Protocol(_) | tungstenite::Error::Capacity(_) => {
                Self::Wrong(words(&error.to_string()))
            }
            _ => Self::Closed(words(&error.to_string())),
        }
    }

    /// The trouble of a connection that ended, with what the other side said about it.
    pub(crate) fn of_close(close: Option<&CloseFrame>) -> Self {
        let Some(close) = close else { return Self::Closed("without a close frame".to_owned()) };
        let code = u16::from(close.code);
        Self::Closed(words(format!("{code} {}", close.reason.as_str()).trim()))
    }

    /// The trouble of a connection that broke.
    pub(crate) fn of_break(error: &tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
                Self::of_close(None)
            }
            tungstenite::Error::Protocol(_)
            | tungstenite::Error::Utf8(_)
            | tungstenite::Error::Capacity(_) => Self::Wrong(words(&error.to_string())),
            _ => Self::Closed(words(&error.to_string())),
        }
    }

    /// The trouble of `what` that was waited for in vain.
    pub(crate) fn no_answer(what: &str, waited: Duration) -> Self {
        Self::TimedOut(format!("no {what} within {} s", waited.as_secs()))
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Closed(_) => "closed",
            Self::TimedOut(_) => "timed out",
            Self::Wrong(_) => "wrong",
        }
    }

    fn told(&self) -> &str {
        match self {
            Self::Refused(told) | Self::Closed(told) | Self::TimedOut(told) | Self::Wrong(told) => told,
        }
    }
}

/// The other side's words, fit to be shown on one line.
pub(crate) fn words(text: &str) -> String {
    text.chars().take(MAX_WORDS).flat_map(char::escape_debug).collect()
}

/// A trouble and how often it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TroubleCount {
    pub(crate) kind: &'static str,
    pub(crate) what: String,
    pub(crate) count: u64,
}

/// Troubles by what they are.
#[derive(Debug, Default)]
pub(crate) struct Troubles(BTreeMap<Trouble, u64>);

impl Troubles {
    /// Counts one more.
    pub(crate) fn add(&mut self, trouble: Trouble) {
        let is_known = self.0.contains_key(&trouble);
        let key = if is_known || self.0.len() < MAX_DIFFERENT { trouble } else { and_more(&trouble) };
        *self.0.entry(key).or_default() += 1;
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// Each kind with its count.
    pub(crate) fn counts(&self) -> Vec<TroubleCount> {
        let told = |(trouble, count): (&Trouble, &u64)| TroubleCount {
            kind: trouble.kind(),
            what: trouble.told().to_owned(),
            count: *count,
        };
        self.0.iter().map(told).collect()
    }
}

fn and_more(trouble: &Trouble) -> Trouble {
    let more = "and more of the kind".to_owned();
    match trouble {
        Trouble::Refused(_) => Trouble::Refused(more),
        Trouble::Closed(_) => Trouble::Closed(more),
        Trouble::TimedOut(_) => Trouble::TimedOut(more),
        Trouble::Wrong(_) => Trouble::Wrong(more),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_troubles_are_counted_together_and_a_flood_is_bounded() {
        let mut troubles = Troubles::default();
        for number in 0..1_000 {
            troubles.add(Trouble::Wrong(format!("frame {number}")));
            troubles.add(Trouble::Closed("1001".to_owned()));
        }
        assert_eq!(troubles.count(), 2_000);
        assert!(troubles.counts().len() <= MAX_DIFFERENT + 1);
        let closed = troubles.counts().into_iter().find(|trouble| trouble.kind == "closed").unwrap();
        assert_eq!((closed.what.as_str(), closed.count), ("1001", 1_000));
    }

    #[test]
    fn words_of_the_other_side_cannot_move_the_cursor() {
        assert_eq!(words("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
    }
}
