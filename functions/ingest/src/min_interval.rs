//! Keeps live frames of one subscription at least `minInterval` apart (docs/PROTOCOL.md, "Service to viewer").

use nsl_domain::bounded::BoundedMap;
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::time::TimestampMs;
use parking_lot::Mutex;

/// When this function instance last sent a frame to each subscription that has a minimum interval.
#[derive(Debug, Default)]
pub(crate) struct MinInterval {
    sent: Mutex<BoundedMap<(ConnectionId, AppId), TimestampMs>>,
}

impl MinInterval {
    /// Whether a frame of `app` may be sent to `connection` at `now`: at least `min_interval_ms` after the last one.
    /// If so, it counts as sent.
    pub(crate) fn admit(
        &self,
        connection: &ConnectionId,
        app: &AppId,
        min_interval_ms: i64,
        now: TimestampMs,
    ) -> bool {
        if min_interval_ms == 0 {
            return true;
        }
        let mut sent = self.sent.lock();
        let key = (connection.clone(), app.clone());
        let is_too_early = |last: &TimestampMs| (0..min_interval_ms).contains(&now.ms_since(*last));
        if sent.get(&key).is_some_and(is_too_early) {
            return false;
        }
        sent.put(key, now);
        true
    }
}
