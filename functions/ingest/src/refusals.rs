//! How many refusals one connection is told.
//!
//! Best effort, and free: each function instance counts what it refuses itself, in memory. A sender that goes on sending
//! what is refused learns no more from the thousandth answer than from the first, and each is a message that is paid
//! for. Refuses to close anybody: a publisher that is mended goes on.

use std::sync::{Mutex, PoisonError};

use nsl_domain::bounded::BoundedMap;
use nsl_domain::ids::ConnectionId;
use nsl_domain::rate::{Rate, TokenBucket};
use nsl_domain::time::TimestampMs;

/// Refusals that a connection is told: more at once than a sender has frames on their way, then one a second.
pub(crate) const ANSWERS: Rate = Rate { per_second: 1, burst: 100 };

/// What one function instance has refused lately.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    told: Mutex<BoundedMap<ConnectionId, TokenBucket>>,
}

impl Refusals {
    /// Whether `connection` is told of one more refusal at `now`, which is counted then.
    pub(crate) fn are_told(&self, connection: &ConnectionId, now: TimestampMs) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || TokenBucket::full(ANSWERS, now);
        let bucket = told.get_or_insert_mut(connection.clone(), fresh);
        let has_room = bucket.wait_ms(1, now) == Some(0);
        if has_room {
            bucket.take(1, now);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> TimestampMs {
        TimestampMs::clamped(1_800_000_000_000 + ms)
    }

    #[test]
    fn a_hundred_are_told_at_once_and_then_one_a_second() {
        let refusals = Refusals::default();
        let one = ConnectionId::new("a=");
        let told = |count: usize, ms| (0..count).filter(|_| refusals.are_told(&one, at(ms))).count();
        assert_eq!([told(150, 0), told(1, 999), told(2, 1_000), told(9, 4_000)], [100, 0, 1, 3]);
        assert!(refusals.are_told(&ConnectionId::new("b="), at(0)), "another connection has its own");
    }
}
