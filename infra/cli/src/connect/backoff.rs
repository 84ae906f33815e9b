//! How long to wait before dialling again: exponential, with jitter, so that a restarted service
//! is not met by all its clients in the same instant.

use std::time::Duration;

/// No attempt follows a failure sooner, however often a connection is accepted and closed at once.
const SHORTEST: Duration = Duration::from_secs(1);

/// No attempt waits longer, so that a service that came back is found within half a minute.
const LONGEST: Duration = Duration::from_secs(30);

/// Failures after which the ceiling is at its longest whatever the base; more would overflow the shift.
const MAX_DOUBLINGS: u32 = 5;

/// The wait after `failures` earlier failures in a row. The ceiling starts at two seconds and doubles;
/// `fraction`, from 0 to 1, places the wait between the shortest and the ceiling.
pub(super) fn delay(failures: u32, fraction: f64) -> Duration {
    let ceiling = LONGEST.min(SHORTEST.saturating_mul(2_u32 << failures.min(MAX_DOUBLINGS)));
    SHORTEST + (ceiling - SHORTEST).mul_f64(fraction.clamp(0.0, 1.0))
}

/// A random number from 0 to 1; a half where the system has no randomness to give.
pub(super) fn random_fraction() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_doubles_up_to_half_a_minute() {
        let longest: Vec<u64> = (0..7).map(|failures| delay(failures, 1.0).as_secs()).collect();
        assert_eq!(longest, [2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(delay(u32::MAX, 1.0), LONGEST);
    }

    #[test]
    fn wait_is_never_shorter_than_a_second() {
        for failures in [0, 1, 5, 100] {
            assert_eq!(delay(failures, 0.0), SHORTEST);
            assert_eq!(delay(failures, -1.0), SHORTEST);
        }
    }

    #[test]
    fn jitter_spreads_waits_between_shortest_and_ceiling() {
        assert_eq!(delay(2, 0.5), Duration::from_millis(4_500));
        let random = delay(3, random_fraction());
        assert!((SHORTEST..=Duration::from_secs(16)).contains(&random));
    }
}
