//! The reply to a frame.

use crate::frame::outbound::Outbound;

/// Counts of a frame that produced no ordinary reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// The frame was ignored because it repeats an answered one.
    pub ignored_repeats: bool,
    /// The frame had credentials of a program that were not accepted, which at most one notice answers.
    pub refused_programs: bool,
    /// Log entries that were not stored.
    pub dropped_logs: u64,
}

/// The frames to send, in this order, and whether the connection is closed afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Rendered frames.
    pub frames: Vec<String>,
    /// Whether the connection is closed.
    pub close: bool,
    /// Whether the frame counts towards the limit of unauthenticated connections: it was rejected and the connection
    /// has no grant. An `auth` never counts, nor does what the library sends.
    pub counts_as_unauthenticated: bool,
    /// What is counted of it.
    pub counts: FrameCounts,
}

impl Reply {
    /// Sends one frame.
    pub fn of(frame: &Outbound) -> Self {
        Self { frames: vec![frame.render()], ..Self::default() }
    }

    /// Sends nothing.
    pub fn silence() -> Self {
        Self::default()
    }

    /// Sends nothing because the frame repeats an answered one.
    pub fn absorbed() -> Self {
        Self { counts: FrameCounts { ignored_repeats: true, ..FrameCounts::default() }, ..Self::default() }
    }
}
