//! Delay before the next connection attempt: exponential with jitter, so that the clients of a restarted service do not
//! all reconnect at the same instant.

use std::time::Duration;

/// Shortest delay, even if connections are accepted and closed at once.
const MIN_DELAY: Duration = Duration::from_secs(1);

/// Longest delay: a service that is back is found within half a minute.
const MAX_DELAY: Duration = Duration::from_secs(30);

/// Doublings of the first ceiling, two seconds, that reach [`MAX_DELAY`].
const MAX_DOUBLINGS: u32 = 4;

/// A random delay after `failures` consecutive failures before this one.
pub fn delay(failures: u32) -> Duration {
    let ceiling = ceiling(failures);
    MIN_DELAY + (ceiling - MIN_DELAY).mul_f64(fastrand::f64())
}

fn ceiling(failures: u32) -> Duration {
    MAX_DELAY.min(MIN_DELAY * (2 << failures.min(MAX_DOUBLINGS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceiling_doubles_up_to_thirty_seconds() {
        assert_eq!([0, 1, 2, 3, 4, 5].map(|failures| ceiling(failures).as_secs()), [2, 4, 8, 16, 30, 30]);
        assert_eq!(ceiling(u32::MAX), MAX_DELAY);
    }

    #[test]
    fn delay_lies_between_a_second_and_the_ceiling() {
        for failures in (0..100).chain([u32::MAX]) {
            assert!((MIN_DELAY..=ceiling(failures)).contains(&delay(failures)), "{failures}");
        }
    }
}
