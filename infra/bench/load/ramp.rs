//! Search for the highest rate that a service sustains.
//!
//! The rate doubles until a step fails; then the gap between the highest rate that held and the lowest that failed is
//! halved until it is narrow. A step holds if nothing was lost, doubled or unanswered, the service kept up with the rate,
//! and p99 stayed below the limit.

/// The search ends at this ratio of failed to held rate.
const MAX_RATIO: f64 = 1.15;

/// Steps of one search at most.
const MAX_STEPS: u32 = 20;

/// Part of the offered rate that must be carried; the rest may be in flight at the end.
const MIN_CARRIED: f64 = 0.95;

/// The outcome of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// Reports per second that were to be sent.
    pub(crate) offered: f64,
    /// Reports per second that were carried.
    pub(crate) carried: f64,
    /// From sending to the last subscriber; `None` if nothing arrived.
    pub(crate) p99_ms: Option<f64>,
    /// Reports lost, doubled, rejected or unanswered, and failures of connections.
    pub(crate) failures: u64,
}

impl Step {
    /// Whether the service sustained this rate.
    pub(crate) fn holds(&self, p99_limit_ms: f64) -> bool {
        let is_fast = self.p99_ms.is_some_and(|p99| p99 <= p99_limit_ms);
        self.failures == 0 && is_fast && self.carried >= self.offered * MIN_CARRIED
    }
}

/// A search in progress.
#[derive(Debug)]
pub(crate) struct Ramp {
    p99_limit_ms: f64,
    rate: f64,
    held: Option<f64>,
    failed: Option<f64>,
    steps: u32,
}

impl Ramp {
    /// A search that starts at `rate`.
    pub(crate) fn from_rate(rate: f64, p99_limit_ms: f64) -> Self {
        Self { p99_limit_ms, rate, held: None, failed: None, steps: 0 }
    }

    /// The rate to try.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// The highest rate that held.
    pub(crate) fn held(&self) -> Option<f64> {
        self.held
    }

    /// Chooses the next rate after a step at [`Self::rate`]; false if the search is complete.
    pub(crate) fn next(&mut self, step: &Step) -> bool {
        self.steps += 1;
        if step.holds(self.p99_limit_ms) {
            self.held = Some(self.rate);
        } else {
            self.failed = Some(self.rate);
        }
        self.rate = match (self.held, self.failed) {
            (Some(held), None) => held * 2.0,
            (Some(held), Some(failed)) if failed / held > MAX_RATIO => (held + failed) / 2.0,
            // Narrow enough, or the first step failed: there is no knee above the first rate.
            _ => return false,
        };
        self.steps < MAX_STEPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rate: f64) -> Step {
        Step { offered: rate, carried: rate, p99_ms: Some(20.0), failures: 0 }
    }

    /// Searches with a service that sustains every rate up to `capacity`.
    fn search(start: f64, capacity: f64) -> (Option<f64>, u32) {
        let mut ramp = Ramp::from_rate(start, 100.0);
        loop {
            let rate = ramp.rate();
            if !ramp.next(&Step { carried: rate.min(capacity), ..at(rate) }) {
                return (ramp.held(), ramp.steps);
            }
        }
    }

    #[test]
    fn knee_is_found_from_below() {
        let (knee, steps) = search(100.0, 1_000.0);
        let knee = knee.unwrap();
        assert!((870.0..=1_053.0).contains(&knee), "{knee}");
        assert!(steps <= 8, "{steps} steps");
    }

    #[test]
    fn first_rate_too_high_means_no_knee() {
        assert_eq!(search(100.0, 10.0), (None, 1));
    }

    #[test]
    fn search_is_bounded() {
        let (knee, steps) = search(1.0, f64::INFINITY);
        assert!(knee.is_some());
        assert_eq!(steps, MAX_STEPS);
    }

    #[test]
    fn loss_latency_and_falling_behind_fail_a_step() {
        assert!(at(100.0).holds(100.0));
        assert!(!Step { failures: 1, ..at(100.0) }.holds(100.0));
        assert!(!Step { p99_ms: Some(100.1), ..at(100.0) }.holds(100.0));
        assert!(!Step { p99_ms: None, ..at(100.0) }.holds(100.0));
        assert!(!Step { carried: 94.0, ..at(100.0) }.holds(100.0));
    }
}
