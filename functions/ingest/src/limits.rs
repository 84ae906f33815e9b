//! How many reports and bytes a connection and an application may send in a second.
//!
//! Best effort, and free: each function instance counts what it sees itself, in memory. Refuses a frame whole, so
//! that its sender knows what to send again. Ruled by design.md §8.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::rate::{Rate, TokenBucket};
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::TimestampMs;

/// Reports of one connection: ten times a publisher that reports fifty times a second, and ten seconds of it at once,
/// so that a backlog of batches passes.
const CONNECTION_REPORTS: Rate = Rate { per_second: 500, burst: 5_000 };

/// Bytes of one connection: what the library's reports of 650 bytes come to at [`CONNECTION_REPORTS`], and a quarter
/// more. The burst holds thirty of the largest frames that API Gateway lets through.
const CONNECTION_BYTES: Rate = Rate { per_second: 400_000, burst: 4_000_000 };

/// Reports of each write shard of an application: what one partition takes. An application with more shards may send
/// more.
const SHARD_REPORTS: Rate = Rate { per_second: 1_000, burst: 10_000 };

/// Bytes of each write shard: a partition takes 1,000 write units a second, and a unit is a kilobyte.
const SHARD_BYTES: Rate = Rate { per_second: 1_000_000, burst: 10_000_000 };

/// Most meters of one kind that are remembered; beyond it all are forgotten, which lets a burst through.
const MAX_REMEMBERED: usize = 10_000;

/// What one frame brings to one application, and the application's write shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) reports: u32,
    pub(crate) bytes: u32,
    pub(crate) shards: u16,
}

/// What one function instance has seen lately.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    meters: Mutex<Meters>,
}

#[derive(Debug, Default)]
struct Meters {
    connections: HashMap<ConnectionId, Meter>,
    apps: HashMap<(AppId, u16), Meter>,
}

/// What is left to one connection or application.
#[derive(Debug)]
struct Meter {
    reports: TokenBucket,
    bytes: TokenBucket,
}

impl Limits {
    /// Counts a frame of `connection` that arrives at `now`, or refuses it and counts nothing.
    ///
    /// # Errors
    /// `rate_limited` with the time after which the same frame may pass.
    pub(crate) fn admit(
        &self,
        connection: &ConnectionId,
        loads: &BTreeMap<AppId, Load>,
        now: TimestampMs,
    ) -> Result<(), Rejection> {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let Meters { connections, apps } = &mut *meters;
        let reports = loads.values().map(|load| load.reports).sum();
        let bytes = loads.values().fold(0, |bytes: u32, load| bytes.saturating_add(load.bytes));
        let of_connection = meter(connections, connection.clone(), || Meter::of_connection(now));
        of_connection.check(reports, bytes, now, "this connection")?;
        for (app, load) in loads {
            let of_app = meter(apps, (app.clone(), load.shards), || Meter::of_app(load.shards, now));
            of_app.check(load.reports, load.bytes, now, "this app")?;
        }
        of_connection.take(reports, bytes, now);
        for (app, load) in loads {
            let of_app = meter(apps, (app.clone(), load.shards), || Meter::of_app(load.shards, now));
            of_app.take(load.reports, load.bytes, now);
        }
        Ok(())
    }
}

impl Meter {
    fn of_connection(now: TimestampMs) -> Self {
        Self {
            reports: TokenBucket::full(CONNECTION_REPORTS, now),
            bytes: TokenBucket::full(CONNECTION_BYTES, now),
        }
    }

    fn of_app(shards: u16, now: TimestampMs) -> Self {
        Self {
            reports: TokenBucket::full(widened(SHARD_REPORTS, shards), now),
            bytes: TokenBucket::full(widened(SHARD_BYTES, shards), now),
        }
    }

    fn check(&self, reports: u32, bytes: u32, now: TimestampMs, whose: &str) -> Result<(), Rejection> {
        check(&self.reports, reports, now, "reports", whose)?;
        check(&self.bytes, bytes, now, "bytes", whose)
    }

    fn take(&mut self, reports: u32, bytes: u32, now: TimestampMs) {
        self.reports.take(reports, now);
        self.bytes.take(bytes, now);
    }
}

/// The rate of `shards` shards.
fn widened(rate: Rate, shards: u16) -> Rate {
    let shards = u32::from(shards.max(1));
    Rate { per_second: rate.per_second.saturating_mul(shards), burst: rate.burst.saturating_mul(shards) }
}

fn meter<K: Eq + Hash>(meters: &mut HashMap<K, Meter>, key: K, fresh: impl FnOnce() -> Meter) -> &mut Meter {
    if meters.len() >= MAX_REMEMBERED && !meters.contains_key(&key) {
        meters.clear();
    }
    meters.entry(key).or_insert_with(fresh)
}

fn check(
    bucket: &TokenBucket,
    count: u32,
    now: TimestampMs,
    what: &str,
    whose: &str,
) -> Result<(), Rejection> {
    match bucket.wait_ms(count, now) {
        Some(0) => Ok(()),
        wait => {
            let wait_ms = wait.unwrap_or_default();
            let message = format!("too many {what} of {whose}, try again in {wait_ms} ms");
            Err(Rejection::new(Code::RateLimited, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> TimestampMs {
        TimestampMs::clamped(1_800_000_000_000)
    }

    /// What the library sends: reports of 650 bytes.
    fn load(reports: u32) -> BTreeMap<AppId, Load> {
        load_of(reports, 650 * reports, 1)
    }

    fn load_of(reports: u32, bytes: u32, shards: u16) -> BTreeMap<AppId, Load> {
        BTreeMap::from([(AppId::new("shop").unwrap(), Load { reports, bytes, shards })])
    }

    fn connection(name: &str) -> ConnectionId {
        ConnectionId::new(name)
    }

    #[test]
    fn fifty_reports_a_second_and_full_batches_pass_for_ever() {
        let limits = Limits::default();
        for second in 0..600 {
            for report in 0..50 {
                let at = now().plus_ms(second * 1_000 + report * 20);
                assert_eq!(limits.admit(&connection("a="), &load(1), at), Ok(()));
            }
            assert_eq!(
                limits.admit(
                    &connection("a="),
                    &load_of(100, 30_720, 1),
                    now().plus_ms(second * 1_000 + 999)
                ),
                Ok(())
            );
        }
    }

    #[test]
    fn the_librarys_reports_meet_the_limit_of_reports_before_that_of_bytes() {
        let limits = Limits::default();
        for index in 0..5_000 {
            assert_eq!(limits.admit(&connection("a="), &load(1), now()), Ok(()), "{index}");
        }
        let refused = limits.admit(&connection("a="), &load(1), now()).unwrap_err();
        assert!(refused.message.starts_with("too many reports of this connection"), "{refused}");
    }

    #[test]
    fn large_reports_are_refused_by_their_bytes_and_let_in_when_told() {
        let limits = Limits::default();
        let large = load_of(1, 100_000, 1);
        for _ in 0..40 {
            assert_eq!(limits.admit(&connection("a="), &large, now()), Ok(()));
        }
        let refused = limits.admit(&connection("a="), &large, now()).unwrap_err();
        assert_eq!(refused.code, Code::RateLimited);
        assert_eq!(refused.message, "too many bytes of this connection, try again in 250 ms");
        assert_eq!(
            limits.admit(&connection("a="), &load(0), now()),
            Ok(()),
            "what is refused counts nothing"
        );
        assert_eq!(limits.admit(&connection("a="), &large, now().plus_ms(250)), Ok(()));
    }

    #[test]
    fn many_connections_share_their_apps_bytes_and_shards_widen_them() {
        let limits = Limits::default();
        let send = |index: u32, shards| {
            limits.admit(&connection(&format!("{index}=")), &load_of(1, 100_000, shards), now())
        };
        let admitted = (0..).take_while(|index| send(*index, 1).is_ok()).count();
        assert_eq!(admitted, 100, "ten megabytes at once");
        assert!(send(200, 1).unwrap_err().message.starts_with("too many bytes of this app"));
        assert_eq!(send(201, 2), Ok(()));
    }

    #[test]
    fn a_runaway_is_refused_told_when_to_come_back_and_let_in_then() {
        let limits = Limits::default();
        for _ in 0..50 {
            assert_eq!(limits.admit(&connection("a="), &load(100), now()), Ok(()));
        }
        let refused = limits.admit(&connection("a="), &load(100), now()).unwrap_err();
        assert_eq!(refused.code, Code::RateLimited);
        assert!(refused.code.is_retryable() && refused.message.ends_with("try again in 200 ms"), "{refused}");
        assert_eq!(limits.admit(&connection("b="), &load(100), now()), Ok(()), "another connection is free");
        assert_eq!(limits.admit(&connection("a="), &load(100), now().plus_ms(200)), Ok(()));
    }

    #[test]
    fn many_connections_share_their_apps_limit_and_shards_widen_it() {
        let limits = Limits::default();
        let mut frames = (0..).map(|index| connection(&format!("{}=", index / 50)));
        let admitted = frames.by_ref().take_while(|one| limits.admit(one, &load(100), now()).is_ok()).count();
        assert_eq!(admitted, 100, "ten thousand reports at once");
        assert_eq!(limits.admit(&connection("z="), &load_of(100, 65_000, 2), now()), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limits = Limits::default();
        for index in 0..2 * MAX_REMEMBERED {
            limits.admit(&connection(&format!("{index}=")), &BTreeMap::new(), now()).unwrap();
            assert!(limits.meters.lock().unwrap().connections.len() <= MAX_REMEMBERED);
        }
    }
}
