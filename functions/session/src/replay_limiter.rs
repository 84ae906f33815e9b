//! Limits the replays that this function instance sends: how often to one connection, and how many bytes of one app.
//!
//! Spares calls and bounds what many connections of one credential cause. The session row decides over all instances.

use nsl_domain::bounded::BoundedMap;
use nsl_domain::frame::replay::{MAX_REPLAY_BYTES, REPLAY_BYTES, REPLAY_EVERY_MS};
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::rate::TokenBucket;
use nsl_domain::report::Report;
use nsl_domain::time::TimestampMs;
use parking_lot::Mutex;

/// The replays that this instance sent.
#[derive(Debug, Default)]
pub(crate) struct ReplayLimiter {
    replays: Mutex<Replays>,
}

#[derive(Debug, Default)]
struct Replays {
    last: BoundedMap<(ConnectionId, AppId), TimestampMs>,
    bytes: BoundedMap<AppId, TokenBucket>,
}

impl ReplayLimiter {
    /// Milliseconds until the largest replay of `app` may be sent to `connection`; 0 if it may be.
    pub(crate) fn wait_ms(&self, connection: &ConnectionId, app: &AppId, now: TimestampMs) -> i64 {
        let mut replays = self.replays.lock();
        let last = replays.last.get(&(connection.clone(), app.clone()));
        let since_last = last.map_or(REPLAY_EVERY_MS, |last| now.ms_since(*last).max(0));
        let largest = u32::try_from(MAX_REPLAY_BYTES).unwrap_or(u32::MAX);
        let of_app = replays.of_app(app, now).wait_ms(largest, now).unwrap_or(REPLAY_EVERY_MS);
        of_app.max(REPLAY_EVERY_MS - since_last)
    }

    /// Counts a replay of `app` to `connection`.
    pub(crate) fn count(&self, connection: &ConnectionId, app: &AppId, reports: &[Report], now: TimestampMs) {
        let bytes = reports.iter().map(|report| report.document.as_str().len()).sum::<usize>();
        let mut replays = self.replays.lock();
        replays.last.put((connection.clone(), app.clone()), now);
        replays.of_app(app, now).take(u32::try_from(bytes).unwrap_or(u32::MAX), now);
    }
}

impl Replays {
    fn of_app(&mut self, app: &AppId, now: TimestampMs) -> &mut TokenBucket {
        self.bytes.get_or_insert_mut(app.clone(), || TokenBucket::full(REPLAY_BYTES, now))
    }
}
