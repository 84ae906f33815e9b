//! How many reports a connection and an application may send in a second.
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

/// Of one connection: ten times a publisher that reports fifty times a second, and ten seconds of it at once, so that
/// a backlog of batches passes.
const CONNECTION: Rate = Rate { per_second: 500, burst: 5_000 };

/// Of each write shard of an application: what one partition takes. An application with more shards may send more.
const SHARD: Rate = Rate { per_second: 1_000, burst: 10_000 };

/// Most buckets of one kind that are remembered; beyond it all are forgotten, which lets a burst through.
const MAX_REMEMBERED: usize = 10_000;

/// Reports of one frame for one application, and the application's write shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) reports: u32,
    pub(crate) shards: u16,
}

/// What one function instance has seen lately.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    connections: HashMap<ConnectionId, TokenBucket>,
    apps: HashMap<(AppId, u16), TokenBucket>,
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
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { connections, apps } = &mut *buckets;
        let all = loads.values().map(|load| load.reports).sum();
        let of_connection = bucket(connections, connection.clone(), CONNECTION, now);
        check(of_connection, all, now, "this connection")?;
        for (app, load) in loads {
            let of_app = bucket(apps, (app.clone(), load.shards), rate_of(load.shards), now);
            check(of_app, load.reports, now, "this app")?;
        }
        bucket(connections, connection.clone(), CONNECTION, now).take(all, now);
        for (app, load) in loads {
            bucket(apps, (app.clone(), load.shards), rate_of(load.shards), now).take(load.reports, now);
        }
        Ok(())
    }
}

fn rate_of(shards: u16) -> Rate {
    let shards = u32::from(shards.max(1));
    Rate { per_second: SHARD.per_second * shards, burst: SHARD.burst * shards }
}

fn bucket<K: Eq + Hash>(
    buckets: &mut HashMap<K, TokenBucket>,
    key: K,
    rate: Rate,
    now: TimestampMs,
) -> &mut TokenBucket {
    if buckets.len() >= MAX_REMEMBERED && !buckets.contains_key(&key) {
        buckets.clear();
    }
    buckets.entry(key).or_insert_with(|| TokenBucket::full(rate, now))
}

fn check(bucket: &TokenBucket, count: u32, now: TimestampMs, whose: &str) -> Result<(), Rejection> {
    match bucket.wait_ms(count, now) {
        Some(0) => Ok(()),
        wait => {
            let wait_ms = wait.unwrap_or_default();
            let message = format!("too many reports of {whose}, try again in {wait_ms} ms");
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

    fn load(reports: u32) -> BTreeMap<AppId, Load> {
        BTreeMap::from([(AppId::new("shop").unwrap(), Load { reports, shards: 1 })])
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
                limits.admit(&connection("a="), &load(100), now().plus_ms(second * 1_000 + 999)),
                Ok(())
            );
        }
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
        let wide = BTreeMap::from([(AppId::new("shop").unwrap(), Load { reports: 100, shards: 2 })]);
        assert_eq!(limits.admit(&connection("z="), &wide, now()), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limits = Limits::default();
        for index in 0..2 * MAX_REMEMBERED {
            limits.admit(&connection(&format!("{index}=")), &BTreeMap::new(), now()).unwrap();
            assert!(limits.buckets.lock().unwrap().connections.len() <= MAX_REMEMBERED);
        }
    }
}
