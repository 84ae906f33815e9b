//! Keeps live frames of one subscription at least `minInterval` apart.
//!
//! Best effort, as protocol.md says: each function instance knows only what it sent itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::time::TimestampMs;

/// Most subscriptions whose last frame is remembered; beyond it all is forgotten, which sends a frame too many.
const MAX_REMEMBERED: usize = 10_000;

/// When each paced subscription was last sent a frame.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    sent: Mutex<HashMap<(ConnectionId, AppId), TimestampMs>>,
}

impl Pace {
    /// Whether a frame of `app` may go to `connection` at `now`, at least `min_interval_ms` after the last one that
    /// might. Notes that it does.
    pub(crate) fn admits(
        &self,
        connection: &ConnectionId,
        app: &AppId,
        min_interval_ms: i64,
        now: TimestampMs,
    ) -> bool {
        if min_interval_ms == 0 {
            return true;
        }
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (connection.clone(), app.clone());
        if sent.get(&key).is_some_and(|last| (0..min_interval_ms).contains(&now.ms_since(*last))) {
            return false;
        }
        if sent.len() >= MAX_REMEMBERED {
            sent.clear();
        }
        sent.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_at_least_the_interval_apart() {
        let (viewer, shop) = (ConnectionId::new("v="), AppId::new("shop").unwrap());
        let pace = Pace::default();
        let start = TimestampMs::clamped(1_000_000);
        let admitted = |offset_ms| pace.admits(&viewer, &shop, 1_000, start.plus_ms(offset_ms));
        assert_eq!([0, 500, 999, 1_000, 1_500, 2_000].map(admitted), [true, false, false, true, false, true]);
    }

    #[test]
    fn a_viewer_without_an_interval_gets_everything() {
        let (viewer, shop) = (ConnectionId::new("v="), AppId::new("shop").unwrap());
        let pace = Pace::default();
        assert!((0..10).all(|_| pace.admits(&viewer, &shop, 0, TimestampMs::clamped(1))));
    }
}
