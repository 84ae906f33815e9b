//! What one function instance knows of the connections that speak the library's dialect, so that a frame whose fate is
//! known costs no call.
//!
//! Owns how long it is believed, how fast frames and log entries may come, and how much is remembered at all. Refuses
//! to be the truth: that is the session row's part. Ruled by protocol.md §2.

use std::collections::VecDeque;

use super::MAX_SUBSCRIPTIONS;
use crate::bounded::BoundedMap;
use crate::grant::Role;
use crate::ids::ConnectionId;
use crate::legacy::session::LegacySession;
use crate::rate::{Rate, TokenBucket};
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs};

/// Frames that are heard of a connection within [`FLOOD_MS`], reports and logs aside. A dashboard sends six.
pub const MAX_FRAMES: usize = 20;

/// The span in which frames are counted, in milliseconds.
pub const FLOOD_MS: i64 = 10 * SECOND_MS;

/// Frames of this protocol's own types that are heard of a connection within [`FLOOD_MS`], reports aside: a viewer may
/// subscribe to all that it watches at once.
pub const MAX_MODERN_FRAMES: usize = MAX_FRAMES + MAX_SUBSCRIPTIONS;

/// Log entries that a connection may send.
pub const LOG_RATE: Rate = Rate { per_second: 50, burst: 50 };

/// Bytes of log entries that a connection may send: 640 for each entry, and the largest frame at once.
pub const LOG_BYTES: Rate = Rate { per_second: 32_000, burst: 128 * 1_024 };

/// How long what was read of a session row is believed, in milliseconds: a revocation works within a minute.
const BELIEVED_MS: i64 = MINUTE_MS;

/// What becomes of a frame before it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameDecision {
    /// It is heard.
    Accept,
    /// It is left unanswered.
    Ignore,
    /// It is left unanswered, and the connection is closed.
    Close,
}

/// What is known of one connection.
#[derive(Debug, Default)]
struct Acquaintance {
    remembered: Option<(TimestampMs, LegacySession)>,
    heard: VecDeque<TimestampMs>,
    logs: Option<LogMeter>,
}

/// What is left of the log entries of one connection.
#[derive(Debug)]
struct LogMeter {
    entries: TokenBucket,
    bytes: TokenBucket,
}

impl LogMeter {
    fn full(now: TimestampMs) -> Self {
        Self { entries: TokenBucket::full(LOG_RATE, now), bytes: TokenBucket::full(LOG_BYTES, now) }
    }

    /// Spends an entry of `size` bytes, if there is room for it.
    fn admits(&mut self, size: usize, now: TimestampMs) -> bool {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let fits = self.entries.wait_ms(1, now) == Some(0) && self.bytes.wait_ms(size, now) == Some(0);
        if fits {
            self.entries.take(1, now);
            self.bytes.take(size, now);
        }
        fits
    }
}

/// Who is known.
#[derive(Debug, Default)]
pub struct ConnectionCache {
    known: BoundedMap<ConnectionId, Acquaintance>,
}

impl ConnectionCache {
    /// Counts a frame that is neither a report nor `logs`. A program is never closed for its frames: the library comes
    /// back every three seconds.
    pub fn hear(&mut self, connection: &ConnectionId, role: Role, now: TimestampMs) -> FrameDecision {
        if self.counts(connection, MAX_FRAMES, now) {
            return FrameDecision::Accept;
        }
        if role == Role::Program { FrameDecision::Ignore } else { FrameDecision::Close }
    }

    /// Counts a frame of this protocol's own types. The library sends none of them, so that programs are closed too.
    pub fn hear_modern(&mut self, connection: &ConnectionId, now: TimestampMs) -> FrameDecision {
        if self.counts(connection, MAX_MODERN_FRAMES, now) {
            FrameDecision::Accept
        } else {
            FrameDecision::Close
        }
    }

    fn counts(&mut self, connection: &ConnectionId, most: usize, now: TimestampMs) -> bool {
        let heard = &mut self.of(connection).heard;
        heard.retain(|at| now.ms_since(*at) < FLOOD_MS);
        let is_heard = heard.len() < most;
        if is_heard {
            heard.push_back(now);
        }
        is_heard
    }

    /// What is remembered of `connection`, as it was at most a minute ago.
    pub fn remembered(&self, connection: &ConnectionId, now: TimestampMs) -> Option<LegacySession> {
        let (read_at, remembered) = self.known.peek(connection)?.remembered.as_ref()?;
        (0..=BELIEVED_MS).contains(&now.ms_since(*read_at)).then(|| remembered.clone())
    }

    /// Remembers what was true of `connection` at `now`.
    pub fn remember(&mut self, connection: &ConnectionId, remembered: LegacySession, now: TimestampMs) {
        self.of(connection).remembered = Some((now, remembered));
    }

    /// How many of new log entries of `sizes` bytes may be kept, from the first on. Those are spent.
    pub fn log_room(
        &mut self,
        connection: &ConnectionId,
        sizes: impl Iterator<Item = usize>,
        now: TimestampMs,
    ) -> usize {
        let meter = self.of(connection).logs.get_or_insert_with(|| LogMeter::full(now));
        sizes.take_while(|size| meter.admits(*size, now)).count()
    }

    /// Forgets a connection that has ended.
    pub fn forget(&mut self, connection: &ConnectionId) {
        self.known.pop(connection);
    }

    fn of(&mut self, connection: &ConnectionId) -> &mut Acquaintance {
        self.known.get_or_insert_mut(connection.clone(), Acquaintance::default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> TimestampMs {
        TimestampMs::clamped(1_800_000_000_000 + ms)
    }

    fn one() -> ConnectionId {
        ConnectionId::new("a=")
    }

    #[test]
    fn twenty_frames_in_ten_seconds_are_heard_and_not_one_more() {
        for (role, last) in [(Role::Page, FrameDecision::Close), (Role::Program, FrameDecision::Ignore)] {
            let mut known = ConnectionCache::default();
            for frame in 0..20 {
                assert_eq!(known.hear(&one(), role, at(frame * 499)), FrameDecision::Accept);
            }
            assert_eq!(known.hear(&one(), role, at(9_999)), last);
            assert_eq!(
                known.hear(&one(), role, at(10_000)),
                FrameDecision::Accept,
                "the first is ten seconds old"
            );
            assert_eq!(known.hear(&ConnectionId::new("b="), role, at(9_999)), FrameDecision::Accept);
        }
    }

    #[test]
    fn what_was_read_is_believed_for_a_minute() {
        let mut known = ConnectionCache::default();
        assert_eq!(known.remembered(&one(), at(0)), None);
        known.remember(&one(), LegacySession::default(), at(0));
        assert_eq!(known.remembered(&one(), at(60_000)), Some(LegacySession::default()));
        assert_eq!(known.remembered(&one(), at(60_001)), None);
    }

    #[test]
    fn fifty_entries_a_second_are_kept_and_the_rest_is_dropped() {
        let mut known = ConnectionCache::default();
        let mut room = |count, ms| known.log_room(&one(), std::iter::repeat_n(100, count), at(ms));
        assert_eq!([room(70, 0), room(1, 0), room(10, 100), room(10, 1_000)], [50, 0, 5, 10]);
    }

    #[test]
    fn entries_are_kept_as_far_as_their_bytes_go() {
        let mut known = ConnectionCache::default();
        let mut room = |sizes: &[usize], ms| known.log_room(&one(), sizes.iter().copied(), at(ms));
        assert_eq!(room(&[14_000; 12], 0), 9, "131,072 bytes at once");
        assert_eq!(room(&[14_000], 0), 0);
        assert_eq!(room(&[14_000; 3], 1_000), 2, "and 32,000 a second");
        assert_eq!(room(&[1 << 20, 1], 60_000), 0, "what never fits ends what is kept");
    }

    #[test]
    fn a_viewer_may_subscribe_to_all_that_it_watches_and_not_go_on_for_ever() {
        let mut known = ConnectionCache::default();
        for _ in 0..MAX_MODERN_FRAMES {
            assert_eq!(known.hear_modern(&one(), at(0)), FrameDecision::Accept);
        }
        assert_eq!(known.hear_modern(&one(), at(9_999)), FrameDecision::Close);
        assert_eq!(known.hear_modern(&one(), at(10_000)), FrameDecision::Accept);
    }
}
