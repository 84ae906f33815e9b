//! The search for the highest rate that a service holds. Pure: a step's outcome in, the next rate out.
//!
//! The rate doubles until a step breaks, then the gap between the last that held and the first that broke is halved
//! until it is narrow. A step holds when nothing was lost, doubled or left unanswered, the service kept up with the
//! rate, and p99 stayed below the limit.

/// A gap between held and broken rate this narrow, as a ratio, ends the search.
const NARROW: f64 = 1.15;

/// Most steps of one search.
const MAX_STEPS: u32 = 20;

/// Part of the offered rate that a service which keeps up carries at least; the rest is the last moment's.
const KEPT_UP: f64 = 0.95;

/// What one step showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// Reports a second that were to be sent.
    pub(crate) offered: f64,
    /// Reports a second that were carried.
    pub(crate) carried: f64,
    /// From send to last subscriber; none where nothing arrived.
    pub(crate) p99_ms: Option<f64>,
    /// Reports lost, doubled, refused or unanswered, and troubles of connections.
    pub(crate) faults: u64,
}

impl Step {
    /// Whether the service held this step.
    pub(crate) fn holds(&self, p99_limit_ms: f64) -> bool {
        let is_quick = self.p99_ms.is_some_and(|p99| p99 <= p99_limit_ms);
        self.faults == 0 && is_quick && self.carried >= self.offered * KEPT_UP
    }
}

/// A search in progress.
#[derive(Debug)]
pub(crate) struct Ramp {
    p99_limit_ms: f64,
    rate: f64,
    held: Option<f64>,
    broken: Option<f64>,
    steps: u32,
}

impl Ramp {
    /// A search that starts at `rate`.
    pub(crate) fn from_rate(rate: f64, p99_limit_ms: f64) -> Self {
        Self { p99_limit_ms, rate, held: None, broken: None, steps: 0 }
    }

    /// The rate to try.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// The highest rate that held.
    pub(crate) fn held(&self) -> Option<f64> {
        self.held
    }

    /// Takes the outcome of the step at [`Self::rate`]; true where another step is to follow.
    pub(crate) fn take(&mut self, step: &Step) -> bool {
        self.steps += 1;
        if step.holds(self.p99_limit_ms) {
            self.held = Some(self.rate);
        } else {
            self.broken = Some(self.rate);
        }
        self.rate = match (self.held, self.broken) {
            (Some(held), None) => held * 2.0,
            (Some(held), Some(broken)) if broken / held > NARROW => (held + broken) / 2.0,
            // Narrow enough, or the first step already broke: there is no knee above where the search began.
            _ => return false,
        };
        self.steps < MAX_STEPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rate: f64) -> Step {
        Step { offered: rate, carried: rate, p99_ms: Some(20.0), faults: 0 }
    }

    /// A service that holds every rate up to `capacity`.
    fn search(start: f64, capacity: f64) -> (Option<f64>, u32) {
        let mut ramp = Ramp::from_rate(start, 100.0);
        loop {
            let rate = ramp.rate();
            if !ramp.take(&Step { carried: rate.min(capacity), ..at(rate) }) {
                return (ramp.held(), ramp.steps);
            }
        }
    }

    #[test]
    fn the_knee_is_found_from_below() {
        let (knee, steps) = search(100.0, 1_000.0);
        let knee = knee.unwrap();
        assert!((870.0..=1_053.0).contains(&knee), "{knee}");
        assert!(steps <= 8, "{steps} steps");
    }

    #[test]
    fn a_service_that_breaks_at_once_has_no_knee() {
        assert_eq!(search(100.0, 10.0), (None, 1));
    }

    #[test]
    fn a_service_that_never_breaks_ends_the_search_too() {
        let (knee, steps) = search(1.0, f64::INFINITY);
        assert!(knee.is_some());
        assert_eq!(steps, MAX_STEPS);
    }

    #[test]
    fn loss_slowness_and_falling_behind_each_break_a_step() {
        assert!(at(100.0).holds(100.0));
        assert!(!Step { faults: 1, ..at(100.0) }.holds(100.0));
        assert!(!Step { p99_ms: Some(100.1), ..at(100.0) }.holds(100.0));
        assert!(!Step { p99_ms: None, ..at(100.0) }.holds(100.0));
        assert!(!Step { carried: 94.0, ..at(100.0) }.holds(100.0));
    }
}
