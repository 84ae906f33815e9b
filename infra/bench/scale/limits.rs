//! What an account may use unless AWS raised it, and what no request raises.

/// Whether AWS raises a limit on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// On request, within what AWS grants.
    Raisable,
    /// Not.
    Hard,
    /// Ours: a constant of this project.
    Own,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raisable => "on request",
            Self::Hard => "no",
            Self::Own => "ours",
        }
    }
}

/// Requests a second of all APIs of an account and Region together, posts to connections included.
pub(crate) const REQUESTS_PER_SECOND: f64 = 10_000.0;
/// Handshakes a second of all WebSocket APIs together.
pub(crate) const HANDSHAKES_PER_SECOND: f64 = 500.0;
/// Seconds after which API Gateway closes a connection.
pub(crate) const CONNECTION_SECONDS: f64 = 7_200.0;
/// Invocations under way at a time, and a second for each of them.
pub(crate) const CONCURRENCY: f64 = 1_000.0;
/// Write units a second of one on-demand table.
pub(crate) const TABLE_WRITES_PER_SECOND: f64 = 40_000.0;
/// Write units a second of one partition.
pub(crate) const PARTITION_WRITES_PER_SECOND: f64 = 1_000.0;
/// Gigabytes of one partition.
pub(crate) const PARTITION_GIGABYTES: f64 = 10.0;
/// Partitions of a new on-demand table.
pub(crate) const FIRST_PARTITIONS: f64 = 4.0;
/// Share of a processor for each megabyte: 1,769 MB are one.
pub(crate) const MEGABYTES_PER_PROCESSOR: f64 = 1_769.0;
