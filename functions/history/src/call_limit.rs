//! Limits the calls of each credential (docs/PROTOCOL.md, "Rates"). Best effort: each function instance counts what it
//! receives itself.

use nsl_domain::bounded::BoundedMap;
use nsl_domain::ids::KeyHash;
use nsl_domain::rate::{Rate, TokenBucket};
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::TimestampMs;
use parking_lot::Mutex;

/// The dashboard's list of fifty applications makes 51 calls when it opens, and one a second from then on.
const CALLS: Rate = Rate { per_second: 10, burst: 200 };

/// Points that count as one call: as many as a `timeRange` has at most.
const POINTS_OF_A_CALL: usize = 168;

/// Bytes of rollups that count as one call: a week of hours of the library's series.
const BYTES_OF_A_CALL: usize = 256 * 1_024;

/// The calls that one function instance received, by the hash of their grant: the text of the header would let a
/// caller vary it.
#[derive(Debug, Default)]
pub(crate) struct CallLimit {
    buckets: Mutex<BoundedMap<[u8; 32], TokenBucket>>,
}

impl CallLimit {
    /// Counts one call with `grant` at `now`, or rejects it and counts nothing. Calls without one read nothing.
    ///
    /// # Errors
    /// `rate_limited`, with the time after which a call is accepted.
    pub(crate) fn admit(&self, grant: Option<&str>, now: TimestampMs) -> Result<(), Rejection> {
        let Some(grant) = grant else { return Ok(()) };
        let mut buckets = self.buckets.lock();
        let bucket = buckets.get_or_insert_mut(KeyHash::of(grant).0, || TokenBucket::full(CALLS, now));
        let wait_ms = bucket.wait_ms(1, now).unwrap_or_default();
        if wait_ms > 0 {
            let message = format!("too many calls with this credential, try again in {wait_ms} ms");
            return Err(Rejection::new(Code::RateLimited, message).for_ms(wait_ms));
        }
        bucket.take(1, now);
        Ok(())
    }

    /// Counts what an accepted call costs more than one of a few points: later calls wait for it.
    pub(crate) fn count_points(&self, grant: Option<&str>, points: usize, now: TimestampMs) {
        self.count(grant, points.div_ceil(POINTS_OF_A_CALL).saturating_sub(1), now);
    }

    /// Counts what an accepted call read more than one of the library's series does.
    pub(crate) fn count_bytes(&self, grant: Option<&str>, bytes: usize, now: TimestampMs) {
        self.count(grant, bytes / BYTES_OF_A_CALL, now);
    }

    fn count(&self, grant: Option<&str>, more: usize, now: TimestampMs) {
        let Some(grant) = grant else { return };
        if let Some(bucket) = self.buckets.lock().get_mut(&KeyHash::of(grant).0) {
            bucket.take(u32::try_from(more).unwrap_or(u32::MAX), now);
        }
    }
}
