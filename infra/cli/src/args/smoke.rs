//! The arguments of `nsl smoke`.

use crate::smoke::check::Check;

/// Seconds until the stream has delivered what was sent just before the end.
const SETTLE_SECONDS: u64 = 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Smoke {
    /// Check that is not run, for an emulator that lacks what it needs; may be repeated, or several separated by commas.
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    pub(crate) skip: Vec<Check>,

    /// Longest wait for rollups in seconds [default: the stack's RollupWindowSeconds and two minutes].
    #[arg(long, value_name = "SECONDS")]
    pub(crate) rollup_wait: Option<u64>,

    /// Seconds to wait for rollups that are being computed, before the last of them are erased.
    #[arg(long, value_name = "SECONDS", default_value_t = SETTLE_SECONDS)]
    pub(crate) settle: u64,
}
