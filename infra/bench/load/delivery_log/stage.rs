//! Counts and latencies of one stage. Latencies are microseconds, in histograms with three significant digits.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// Longest latency that is distinguished, in microseconds: two minutes, longer than any timeout of a run.
const MAX_MICROS: u64 = 120_000_000;

/// Longest stage in seconds.
const MAX_STAGE_SECONDS: usize = 3_600;

/// Significant digits of a latency.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Latencies of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Option<Histogram<u64>>);

impl Latencies {
    fn new() -> Self {
        // The bounds are valid constants, so there always is a histogram.
        Self(Histogram::new_with_bounds(1, MAX_MICROS, SIGNIFICANT_DIGITS).ok())
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(latency.as_micros().max(1) as u64);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// The latency at `quantile` (0 to 1) in milliseconds; `None` without latencies.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(histogram.value_at_quantile(quantile) as f64 / 1_000.0)
    }
}

/// Number of reports by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unanswered: u64,
    /// Missing deliveries of acknowledged reports.
    pub(crate) lost: u64,
    /// Repeated deliveries.
    pub(crate) doubled: u64,
}

impl Counts {
    /// The sums over `stages`.
    pub(crate) fn sum(stages: &[StageLog]) -> Self {
        stages.iter().fold(Self::default(), |sum, StageLog { counts, .. }| Self {
            sent: sum.sent + counts.sent,
            acknowledged: sum.acknowledged + counts.acknowledged,
            rejected: sum.rejected + counts.rejected,
            unanswered: sum.unanswered + counts.unanswered,
            lost: sum.lost + counts.lost,
            doubled: sum.doubled + counts.doubled,
        })
    }

    /// Number of reports that were not delivered exactly once.
    pub(crate) fn failures(&self) -> u64 {
        self.rejected + self.unanswered + self.lost + self.doubled
    }
}

/// The log of one stage.
#[derive(Debug, Clone)]
pub(crate) struct StageLog {
    pub(crate) began: Instant,
    /// When the last report was carried.
    pub(crate) last_carried: Instant,
    pub(crate) counts: Counts,
    pub(crate) carried: u64,
    /// `carried` by second of the stage.
    carried_by_second: Vec<u64>,
    pub(crate) to_ack: Latencies,
    pub(crate) to_last: Latencies,
    pub(crate) to_history: Latencies,
}

impl StageLog {
    pub(crate) fn begun(at: Instant) -> Self {
        Self {
            began: at,
            last_carried: at,
            counts: Counts::default(),
            carried: 0,
            carried_by_second: Vec::new(),
            to_ack: Latencies::new(),
            to_last: Latencies::new(),
            to_history: Latencies::new(),
        }
    }

    pub(crate) fn acknowledge(&mut self, latency: Duration) {
        self.counts.acknowledged += 1;
        self.to_ack.record(latency);
    }

    pub(crate) fn carry(&mut self, at: Instant) {
        self.carried += 1;
        self.last_carried = self.last_carried.max(at);
        let second = at.saturating_duration_since(self.began).as_secs() as usize;
        if second >= self.carried_by_second.len() {
            self.carried_by_second.resize(second.min(MAX_STAGE_SECONDS) + 1, 0);
        }
        if let Some(carried) = self.carried_by_second.get_mut(second) {
            *carried += 1;
        }
    }

    /// The fewest reports carried in one of the first `seconds` whole seconds; `None` if there are none.
    pub(crate) fn slowest_second(&self, seconds: u64) -> Option<u64> {
        let seconds = usize::try_from(seconds).unwrap_or(usize::MAX).min(MAX_STAGE_SECONDS);
        (0..seconds).map(|second| self.carried_by_second.get(second).copied().unwrap_or(0)).min()
    }
}
