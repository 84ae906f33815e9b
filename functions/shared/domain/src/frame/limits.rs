//! Limits of frames that several of their modules share.

/// Largest frame that the service sends, in bytes: below the 32 KB of one API Gateway frame and message unit.
pub const MAX_OUTBOUND_BYTES: usize = 30 * 1024;
