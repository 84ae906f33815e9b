//! Why stored bytes cannot be decoded as a rollup.

use super::format::ENCODING;

/// Why bytes are not a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A newer program wrote it in this version of the encoding. It must not be overwritten.
    #[error("the rollup has encoding {0}, which is newer than {ENCODING}")]
    Newer(u8),
    /// It is damaged, and can be recomputed from its reports or finer rollups.
    #[error("the rollup is corrupt: {0}")]
    Corrupt(&'static str),
}
