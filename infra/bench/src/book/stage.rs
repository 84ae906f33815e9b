//! The counts and times of one stage of a run.
//!
//! Times are microseconds, in histograms of three significant digits (HdrHistogram). What takes longer than the
//! longest recordable time is recorded as that.

use crate::clock::RunTime;
use hdrhistogram::Histogram;

/// Longest time that is told apart, in microseconds: two minutes, more than any wait of a run.
const LONGEST_MICROS: u64 = 120_000_000;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// Seconds of a stage that are told apart: an hour, the longest that can be asked for.
const LONGEST_STAGE_SECONDS: usize = 3_600;

/// Digits that a recorded time keeps.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Times of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Times(Option<Histogram<u64>>);

impl Times {
    fn new() -> Self {
        // The bounds are constants that the crate accepts; a histogram that could not be made records nothing.
        Self(Histogram::new_with_bounds(1, LONGEST_MICROS, SIGNIFICANT_DIGITS).ok())
    }

    fn record(&mut self, micros: u64) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(micros.max(1));
        }
    }

    /// How many were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// The time at `quantile` (0 to 1), in milliseconds; none where none was recorded.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(histogram.value_at_quantile(quantile) as f64 / 1_000.0)
    }

    /// The longest time, in milliseconds; none where none was recorded.
    pub(crate) fn max_ms(&self) -> Option<f64> {
        self.quantile_ms(1.0)
    }
}

/// The account of one stage.
#[derive(Debug, Clone)]
pub(crate) struct StageBook {
    pub(crate) began: RunTime,
    /// When the last report was carried.
    pub(crate) carried_last: RunTime,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unanswered: u64,
    pub(crate) carried: u64,
    /// The same by the second of the stage in which they were.
    carried_by_second: Vec<u64>,
    /// Deliveries of acknowledged reports that did not happen.
    pub(crate) lost: u64,
    /// Deliveries that happened again.
    pub(crate) doubled: u64,
    pub(crate) to_ack: Times,
    pub(crate) to_last: Times,
    pub(crate) to_history: Times,
}

impl StageBook {
    pub(crate) fn begun(at: RunTime) -> Self {
        Self {
            began: at,
            carried_last: at,
            sent: 0,
            acknowledged: 0,
            rejected: 0,
            unanswered: 0,
            carried: 0,
            carried_by_second: Vec::new(),
            lost: 0,
            doubled: 0,
            to_ack: Times::new(),
            to_last: Times::new(),
            to_history: Times::new(),
        }
    }

    pub(crate) fn acknowledge(&mut self, micros: u64) {
        self.acknowledged += 1;
        self.to_ack.record(micros);
    }

    pub(crate) fn reach_last(&mut self, micros: u64) {
        self.to_last.record(micros);
    }

    pub(crate) fn find_in_history(&mut self, micros: u64) {
        self.to_history.record(micros);
    }

    pub(crate) fn carry(&mut self, at: RunTime) {
        self.carried += 1;
        self.carried_last = self.carried_last.max(at);
        let second = usize::try_from(at.micros_since(self.began) / MICROS_PER_SECOND).unwrap_or(usize::MAX);
        if second >= self.carried_by_second.len() {
            self.carried_by_second.resize(second.min(LONGEST_STAGE_SECONDS) + 1, 0);
        }
        if let Some(carried) = self.carried_by_second.get_mut(second) {
            *carried += 1;
        }
    }

    /// The fewest reports carried in one of the first `seconds` whole seconds; none where there is no such second.
    pub(crate) fn slowest_second(&self, seconds: u64) -> Option<u64> {
        let seconds = usize::try_from(seconds).unwrap_or(usize::MAX).min(LONGEST_STAGE_SECONDS);
        (0..seconds).map(|second| self.carried_by_second.get(second).copied().unwrap_or(0)).min()
    }
}
