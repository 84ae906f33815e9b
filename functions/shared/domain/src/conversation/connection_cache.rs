//! What one function instance caches and counts per connection, so that a frame whose reply is known costs no call:
//! its session row, its frames of the last seconds, its log entries.
//!
//! Best effort: entries may be evicted, and the session row is authoritative.

use std::collections::VecDeque;

use super::limits::MAX_SUBSCRIPTIONS;
use crate::bounded::BoundedMap;
use crate::grant::Role;
use crate::ids::ConnectionId;
use crate::legacy::session::LegacySession;
use crate::rate::{Rate, TokenBucket};
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs};

/// Frames in the library's dialect that a connection may send within [`FLOOD_MS`], reports and the logs of a publisher
/// aside. A dashboard sends six.
pub const MAX_FRAMES: usize = 20;

/// The span in which frames are counted, in milliseconds.
pub const FLOOD_MS: i64 = 10 * SECOND_MS;

/// Frames of this protocol's own types that a connection may send within [`FLOOD_MS`], reports aside: a viewer may
/// subscribe to all its apps at once.
pub const MAX_MODERN_FRAMES: usize = MAX_FRAMES + MAX_SUBSCRIPTIONS;

/// How many of them may be an `auth`, which reads the app and may count its connections.
pub const MAX_AUTH_FRAMES: usize = 10;

/// Log entries that a connection may send.
pub const LOG_RATE: Rate = Rate { per_second: 50, burst: 50 };

/// Bytes of log entries that a connection may send: 640 for each entry, and the largest frame at once.
pub const LOG_BYTES: Rate = Rate { per_second: 32_000, burst: 128 * 1_024 };

/// How long a session row is cached, in milliseconds: a revocation takes effect within a minute.
const SESSION_TTL_MS: i64 = MINUTE_MS;

/// What to do with a frame before it is read further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameDecision {
    /// Answer it.
    Accept,
    /// Do not answer it.
    Ignore,
    /// Do not answer it, and close the connection.
    Close,
}

/// The entry of one connection.
#[derive(Debug, Default)]
struct CachedConnection {
    session: Option<CachedSession>,
    frames: FrameWindow,
    auth_frames: FrameWindow,
    log_meter: Option<LogMeter>,
}

/// A session row, and when it was read.
#[derive(Debug, Clone)]
pub struct CachedSession {
    /// When it was read.
    pub read_at: TimestampMs,
    /// What it had then.
    pub session: LegacySession,
}

/// The frames of the last [`FLOOD_MS`].
#[derive(Debug, Default)]
struct FrameWindow {
    arrivals: VecDeque<TimestampMs>,
}

impl FrameWindow {
    /// Counts a frame, if there are fewer than `most`.
    fn take(&mut self, most: usize, now: TimestampMs) -> bool {
        self.arrivals.retain(|at| now.ms_since(*at) < FLOOD_MS);
        let has_room = self.arrivals.len() < most;
        if has_room {
            self.arrivals.push_back(now);
        }
        has_room
    }
}

/// The log entries that one connection may still send.
#[derive(Debug)]
struct LogMeter {
    entries: TokenBucket,
    bytes: TokenBucket,
}

impl LogMeter {
    fn full(now: TimestampMs) -> Self {
        Self { entries: TokenBucket::full(LOG_RATE, now), bytes: TokenBucket::full(LOG_BYTES, now) }
    }

    /// Takes an entry of `size` bytes, if there is room for it.
    fn take(&mut self, size: usize, now: TimestampMs) -> bool {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let fits = self.entries.wait_ms(1, now) == Some(0) && self.bytes.wait_ms(size, now) == Some(0);
        if fits {
            self.entries.take(1, now);
            self.bytes.take(size, now);
        }
        fits
    }
}

/// The connections that sent frames to this instance.
#[derive(Debug, Default)]
pub struct ConnectionCache {
    connections: BoundedMap<ConnectionId, CachedConnection>,
}

impl ConnectionCache {
    /// Counts a frame in the library's dialect that is neither a report nor `logs`. A program is never closed for its
    /// frames: the library reconnects every three seconds.
    pub fn count_legacy(&mut self, connection: &ConnectionId, role: Role, now: TimestampMs) -> FrameDecision {
        if self.entry(connection).frames.take(MAX_FRAMES, now) {
            return FrameDecision::Accept;
        }
        if role == Role::Program { FrameDecision::Ignore } else { FrameDecision::Close }
    }

    /// Counts a frame of this protocol's own types. The library sends none of them, so that programs are closed too.
    pub fn count_modern(
        &mut self,
        connection: &ConnectionId,
        is_auth: bool,
        now: TimestampMs,
    ) -> FrameDecision {
        let entry = self.entry(connection);
        let fits = !is_auth || entry.auth_frames.take(MAX_AUTH_FRAMES, now);
        if fits && entry.frames.take(MAX_MODERN_FRAMES, now) {
            FrameDecision::Accept
        } else {
            FrameDecision::Close
        }
    }

    /// The session row of `connection` as it was at most a minute ago.
    pub fn session(&self, connection: &ConnectionId, now: TimestampMs) -> Option<CachedSession> {
        let cached = self.connections.peek(connection)?.session.as_ref()?;
        (0..=SESSION_TTL_MS).contains(&now.ms_since(cached.read_at)).then(|| cached.clone())
    }

    /// Caches the session row of `connection` as it was at `now`.
    pub fn insert(&mut self, connection: &ConnectionId, session: LegacySession, now: TimestampMs) {
        self.entry(connection).session = Some(CachedSession { read_at: now, session });
    }

    /// How many new log entries of `sizes` bytes may be stored, from the first on. They count as sent.
    pub fn log_room(
        &mut self,
        connection: &ConnectionId,
        sizes: impl Iterator<Item = usize>,
        now: TimestampMs,
    ) -> usize {
        let meter = self.entry(connection).log_meter.get_or_insert_with(|| LogMeter::full(now));
        sizes.take_while(|size| meter.take(*size, now)).count()
    }

    /// Removes a connection that has ended.
    pub fn remove(&mut self, connection: &ConnectionId) {
        self.connections.pop(connection);
    }

    fn entry(&mut self, connection: &ConnectionId) -> &mut CachedConnection {
        self.connections.get_or_insert_mut(connection.clone(), CachedConnection::default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> TimestampMs {
        TimestampMs::EXAMPLE.plus_ms(ms)
    }

    fn one() -> ConnectionId {
        ConnectionId::new("a=")
    }

    #[test]
    fn twenty_frames_pass_in_ten_seconds() {
        for (role, last) in [(Role::Page, FrameDecision::Close), (Role::Program, FrameDecision::Ignore)] {
            let mut cache = ConnectionCache::default();
            for frame in 0..20 {
                assert_eq!(cache.count_legacy(&one(), role, at(frame * 499)), FrameDecision::Accept);
            }
            assert_eq!(cache.count_legacy(&one(), role, at(9_999)), last);
            assert_eq!(
                cache.count_legacy(&one(), role, at(10_000)),
                FrameDecision::Accept,
                "the first is ten seconds old"
            );
            assert_eq!(cache.count_legacy(&ConnectionId::new("b="), role, at(9_999)), FrameDecision::Accept);
        }
    }

    #[test]
    fn ten_auths_and_seventy_frames_pass_in_ten_seconds() {
        let mut cache = ConnectionCache::default();
        let mut send = |count, is_auth, ms| {
            let accepted = |_: &usize| cache.count_modern(&one(), is_auth, at(ms)) == FrameDecision::Accept;
            (0..count).take_while(accepted).count()
        };
        assert_eq!([send(20, true, 0), send(100, false, 0), send(1, true, 9_999)], [10, 60, 0]);
        assert_eq!([send(20, true, 10_000), send(100, false, 10_000)], [10, 60]);
    }

    #[test]
    fn fifty_log_entries_pass_in_a_second() {
        let mut cache = ConnectionCache::default();
        let mut room = |count, ms| cache.log_room(&one(), std::iter::repeat_n(100, count), at(ms));
        assert_eq!([room(70, 0), room(1, 0), room(10, 100), room(10, 1_000)], [50, 0, 5, 10]);
    }

    #[test]
    fn log_entries_pass_as_far_as_their_bytes_go() {
        let mut cache = ConnectionCache::default();
        let mut room = |sizes: &[usize], ms| cache.log_room(&one(), sizes.iter().copied(), at(ms));
        assert_eq!(room(&[14_000; 12], 0), 9, "131,072 bytes at once");
        assert_eq!(room(&[14_000], 0), 0);
        assert_eq!(room(&[14_000; 3], 1_000), 2, "and 32,000 a second");
        assert_eq!(room(&[1 << 20, 1], 60_000), 0, "an entry that never fits ends it");
    }
}
