//! Why a rollup cannot be encoded.

/// A rollup that contradicts itself. Refused, because its bytes would decode to something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The bytes would name another source as the sender of a last value.
    #[error("cannot encode the rollup: the source of a last value is not listed")]
    SourceNotListed,
    /// The bytes would give a series another last time.
    #[error("cannot encode the rollup: the origin of a last value is not listed")]
    OriginNotListed,
    /// The bytes would move counts to other bins.
    #[error("cannot encode the rollup: the bins of a sketch are empty or out of order")]
    InvalidBins,
}
