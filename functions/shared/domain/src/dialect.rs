//! The dialect of a connection, decided by how it authenticated and never by a frame's type.

/// How a connection's frames are read and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// This protocol.
    Modern,
    /// That of the published library and its dashboard.
    Legacy,
}
