//! Limits how many rejections one connection is sent, because each is a billed message. The connection stays open, so
//! that a client which sends correct frames again needs no reconnect.

use nsl_domain::bounded::BoundedMap;
use nsl_domain::ids::ConnectionId;
use nsl_domain::rate::{Rate, TokenBucket};
use nsl_domain::time::TimestampMs;
use parking_lot::Mutex;

/// Rejections that a connection is sent; the burst is more than a client has frames in flight.
const REJECTIONS: Rate = Rate { per_second: 1, burst: 100 };

/// The remaining [`REJECTIONS`] of each connection, counted by this function instance.
#[derive(Debug, Default)]
pub(crate) struct RejectionLimiter {
    connections: Mutex<BoundedMap<ConnectionId, TokenBucket>>,
}

impl RejectionLimiter {
    /// Whether `connection` may be sent a rejection at `now`. If so, it counts as sent.
    pub(crate) fn admit(&self, connection: &ConnectionId, now: TimestampMs) -> bool {
        let mut connections = self.connections.lock();
        let bucket = connections.get_or_insert_mut(connection.clone(), || TokenBucket::full(REJECTIONS, now));
        let is_admitted = bucket.wait_ms(1, now) == Some(0);
        if is_admitted {
            bucket.take(1, now);
        }
        is_admitted
    }
}
