//! What one function instance knows of the connections that speak the library's dialect, so that a frame whose fate is
//! known costs no call.
//!
//! Owns how long it is believed, how fast frames and log entries may come, and how much is remembered at all. Refuses
//! to be the truth: that is the session row's part. Ruled by protocol.md §2.

use std::collections::{HashMap, VecDeque};

use super::remembered::Remembered;
use crate::grant::Role;
use crate::ids::ConnectionId;
use crate::rate::{Rate, TokenBucket};
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs};

/// Frames that are heard of a connection within [`FLOOD_MS`], reports and logs aside. A dashboard sends six.
pub const MAX_FRAMES: usize = 20;

/// The span in which frames are counted, in milliseconds.
pub const FLOOD_MS: i64 = 10 * SECOND_MS;

/// Log entries that a connection may send.
pub const LOG_RATE: Rate = Rate { per_second: 50, burst: 50 };

/// How long what was read of a session row is believed, in milliseconds: a revocation works within a minute.
const BELIEVED_MS: i64 = MINUTE_MS;

/// Most connections that are remembered; beyond it all are forgotten, which costs each a call.
const MAX_REMEMBERED: usize = 10_000;

/// What becomes of a frame before it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// It is heard.
    Paid,
    /// It is left unanswered.
    Refused,
    /// It is left unanswered, and the connection is closed.
    Lost,
}

/// What is known of one connection.
#[derive(Debug, Default)]
struct Acquaintance {
    remembered: Option<(TimestampMs, Remembered)>,
    heard: VecDeque<TimestampMs>,
    logs: Option<TokenBucket>,
}

/// Who is known.
#[derive(Debug, Default)]
pub struct Acquaintances {
    known: HashMap<ConnectionId, Acquaintance>,
}

impl Acquaintances {
    /// Counts a frame that is neither a report nor `logs`. A program is never closed for its frames: the library comes
    /// back every three seconds.
    pub fn hear(&mut self, connection: &ConnectionId, role: Role, now: TimestampMs) -> Attention {
        let heard = &mut self.of(connection).heard;
        heard.retain(|at| now.ms_since(*at) < FLOOD_MS);
        if heard.len() >= MAX_FRAMES {
            return if role == Role::Program { Attention::Refused } else { Attention::Lost };
        }
        heard.push_back(now);
        Attention::Paid
    }

    /// What is remembered of `connection`, as it was at most a minute ago.
    pub fn remembered(&self, connection: &ConnectionId, now: TimestampMs) -> Option<Remembered> {
        let (read_at, remembered) = self.known.get(connection)?.remembered.as_ref()?;
        (0..=BELIEVED_MS).contains(&now.ms_since(*read_at)).then(|| remembered.clone())
    }

    /// Remembers what was true of `connection` at `now`.
    pub fn remember(&mut self, connection: &ConnectionId, remembered: Remembered, now: TimestampMs) {
        self.of(connection).remembered = Some((now, remembered));
    }

    /// How many of `count` new log entries may be kept. Those are spent.
    pub fn log_room(&mut self, connection: &ConnectionId, count: usize, now: TimestampMs) -> usize {
        let bucket = self.of(connection).logs.get_or_insert_with(|| TokenBucket::full(LOG_RATE, now));
        let mut room = u32::try_from(count).unwrap_or(u32::MAX).min(LOG_RATE.burst);
        while room > 0 && bucket.wait_ms(room, now) != Some(0) {
            room -= 1;
        }
        bucket.take(room, now);
        usize::try_from(room).unwrap_or(0)
    }

    /// Forgets a connection that has ended.
    pub fn forget(&mut self, connection: &ConnectionId) {
        self.known.remove(connection);
    }

    fn of(&mut self, connection: &ConnectionId) -> &mut Acquaintance {
        if self.known.len() >= MAX_REMEMBERED && !self.known.contains_key(connection) {
            self.known.clear();
        }
        self.known.entry(connection.clone()).or_default()
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
        for (role, last) in [(Role::Page, Attention::Lost), (Role::Program, Attention::Refused)] {
            let mut known = Acquaintances::default();
            for frame in 0..20 {
                assert_eq!(known.hear(&one(), role, at(frame * 499)), Attention::Paid);
            }
            assert_eq!(known.hear(&one(), role, at(9_999)), last);
            assert_eq!(known.hear(&one(), role, at(10_000)), Attention::Paid, "the first is ten seconds old");
            assert_eq!(known.hear(&ConnectionId::new("b="), role, at(9_999)), Attention::Paid);
        }
    }

    #[test]
    fn what_was_read_is_believed_for_a_minute() {
        let mut known = Acquaintances::default();
        assert_eq!(known.remembered(&one(), at(0)), None);
        known.remember(&one(), Remembered::default(), at(0));
        assert_eq!(known.remembered(&one(), at(60_000)), Some(Remembered::default()));
        assert_eq!(known.remembered(&one(), at(60_001)), None);
    }

    #[test]
    fn fifty_entries_a_second_are_kept_and_the_rest_is_dropped() {
        let mut known = Acquaintances::default();
        assert_eq!(known.log_room(&one(), 70, at(0)), 50);
        assert_eq!(known.log_room(&one(), 1, at(0)), 0);
        assert_eq!(known.log_room(&one(), 10, at(100)), 5);
        assert_eq!(known.log_room(&one(), 10, at(1_000)), 10);
    }

    #[test]
    fn what_is_known_is_bounded() {
        let mut known = Acquaintances::default();
        for index in 0..2 * MAX_REMEMBERED {
            known.hear(&ConnectionId::new(format!("{index}=")), Role::Page, at(0));
            assert!(known.known.len() <= MAX_REMEMBERED);
        }
    }
}
