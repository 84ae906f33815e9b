//! Rate limits of reports and bytes, by connection and by app (docs/PROTOCOL.md, "Rates"). Best effort: each function
//! instance counts what it receives itself. A frame is rejected as a whole, so that its sender can send it again.

use std::collections::{BTreeMap, BTreeSet};

use nsl_domain::app::{App, Rates};
use nsl_domain::bounded::BoundedMap;
use nsl_domain::ids::{AppId, ConnectionId};
use nsl_domain::rate::{Rate, TokenBucket};
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::rollup::{AppShard, RollupSpan};
use nsl_domain::time::TimestampMs;
use parking_lot::Mutex;

use crate::late_minutes::LateMeter;

/// The rates of one connection, independent of its apps' rates.
const CONNECTION: Rates = Rates {
    // Ten times the fastest expected publisher (50/s); burst: 10 s.
    reports: Rate { per_second: 500, burst: 5_000 },
    // 650 bytes for each report, the size of the library's, plus 25 %. The burst is thirty of the largest messages that
    // API Gateway accepts.
    bytes: Rate { per_second: 400_000, burst: 4_000_000 },
};

/// The reports and bytes of one frame for one app, and the app's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Load {
    reports: u32,
    bytes: u32,
    /// The late minutes that it touches in each write shard.
    late: BTreeMap<u16, BTreeSet<RollupSpan>>,
    rates: Rates,
    /// Milliseconds for which all reports of the app are rejected.
    rejected_for_ms: Option<i64>,
}

impl Load {
    /// An empty load for `app` at `now`.
    pub(crate) fn of(app: &App, now: TimestampMs) -> Self {
        let rejected_for_ms = app.rejected_for_ms(now);
        Self { reports: 0, bytes: 0, late: BTreeMap::new(), rates: app.rates(), rejected_for_ms }
    }

    /// Adds a report of `bytes` bytes.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.reports += 1;
        self.bytes = self.bytes.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Adds a late minute that a report touches in `shard`.
    pub(crate) fn add_late(&mut self, shard: u16, minute: RollupSpan) {
        self.late.entry(shard).or_default().insert(minute);
    }
}

/// The rate limiters of one function instance.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    meters: Mutex<Meters>,
}

#[derive(Debug, Default)]
struct Meters {
    connections: BoundedMap<ConnectionId, Meter>,
    apps: BoundedMap<(AppId, Rates), Meter>,
    late: BoundedMap<AppShard, LateMeter>,
}

/// The remaining reports and bytes of a connection or app.
#[derive(Debug)]
struct Meter {
    reports: TokenBucket,
    bytes: TokenBucket,
}

impl Limits {
    /// Counts a frame of `connection` that arrives at `now`, or rejects it and counts nothing.
    ///
    /// # Errors
    /// `rate_limited`, with the time after which the same frame may be accepted.
    pub(crate) fn admit(
        &self,
        connection: &ConnectionId,
        loads: &BTreeMap<AppId, Load>,
        now: TimestampMs,
    ) -> Result<(), Rejection> {
        if let Some(wait_ms) = loads.values().filter_map(|load| load.rejected_for_ms).max() {
            return Err(limited("this app exceeded its limits", wait_ms));
        }
        let meters = &mut *self.meters.lock();
        meters.check(connection, loads, now)?;
        meters.take(connection, loads, now);
        Ok(())
    }

    /// Gives back what [`Limits::admit`] counted of `loads`, because the reports were duplicates.
    pub(crate) fn give_back(&self, connection: &ConnectionId, loads: &BTreeMap<AppId, Load>) {
        let mut meters = self.meters.lock();
        for (app, load) in loads {
            if let Some(app) = meters.apps.get_mut(&(app.clone(), load.rates)) {
                app.give_back(load);
            }
            if let Some(connection) = meters.connections.get_mut(connection) {
                connection.give_back(load);
            }
        }
    }
}

impl Meters {
    fn check(
        &mut self,
        connection: &ConnectionId,
        loads: &BTreeMap<AppId, Load>,
        now: TimestampMs,
    ) -> Result<(), Rejection> {
        self.of_connection(connection, now).check(&total(loads), now, "this connection")?;
        for (app, load) in loads {
            self.of_app(app, load, now).check(load, now, "this app")?;
            for (shard, minutes) in &load.late {
                let wait_ms = self.late_of(app, *shard, now).wait_ms(minutes, now);
                if wait_ms > 0 {
                    return Err(limited("too many late minutes of this app", wait_ms));
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, connection: &ConnectionId, loads: &BTreeMap<AppId, Load>, now: TimestampMs) {
        self.of_connection(connection, now).take(&total(loads), now);
        for (app, load) in loads {
            self.of_app(app, load, now).take(load, now);
            for (shard, minutes) in &load.late {
                self.late_of(app, *shard, now).take(minutes, now);
            }
        }
    }

    fn of_connection(&mut self, connection: &ConnectionId, now: TimestampMs) -> &mut Meter {
        self.connections.get_or_insert_mut(connection.clone(), || Meter::of(CONNECTION, now))
    }

    fn of_app(&mut self, app: &AppId, load: &Load, now: TimestampMs) -> &mut Meter {
        self.apps.get_or_insert_mut((app.clone(), load.rates), || Meter::of(load.rates, now))
    }

    fn late_of(&mut self, app: &AppId, shard: u16, now: TimestampMs) -> &mut LateMeter {
        self.late.get_or_insert_mut(AppShard { app: app.clone(), shard }, || LateMeter::full(now))
    }
}

/// What a frame adds to its connection.
fn total(loads: &BTreeMap<AppId, Load>) -> Load {
    let mut total =
        Load { reports: 0, bytes: 0, late: BTreeMap::new(), rates: CONNECTION, rejected_for_ms: None };
    for load in loads.values() {
        total.reports += load.reports;
        total.bytes = total.bytes.saturating_add(load.bytes);
    }
    total
}

impl Meter {
    fn of(rates: Rates, now: TimestampMs) -> Self {
        Self { reports: TokenBucket::full(rates.reports, now), bytes: TokenBucket::full(rates.bytes, now) }
    }

    fn check(&self, load: &Load, now: TimestampMs, sender: &str) -> Result<(), Rejection> {
        for (bucket, count, unit) in
            [(&self.reports, load.reports, "reports"), (&self.bytes, load.bytes, "bytes")]
        {
            let wait_ms = bucket.wait_ms(count, now);
            if wait_ms != Some(0) {
                // `None`: the frame is larger than the burst. Bursts are at least as large as the largest frame, so this
                // is not expected.
                return Err(limited(&format!("too many {unit} of {sender}"), wait_ms.unwrap_or(0)));
            }
        }
        Ok(())
    }

    fn take(&mut self, load: &Load, now: TimestampMs) {
        self.reports.take(load.reports, now);
        self.bytes.take(load.bytes, now);
    }

    fn give_back(&mut self, load: &Load) {
        self.reports.put_back(load.reports);
        self.bytes.put_back(load.bytes);
    }
}

fn limited(problem: &str, wait_ms: i64) -> Rejection {
    let message = format!("{problem}, try again in {wait_ms} ms");
    Rejection::new(Code::RateLimited, message).for_ms(wait_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_test_support::fixtures::{app, now};

    /// A frame for the app `shop` with these shards.
    fn frame(reports: u32, bytes: u32, shards: u16) -> BTreeMap<AppId, Load> {
        frame_for(&App { shards, ..app("shop") }, reports, bytes)
    }

    fn frame_for(app: &App, reports: u32, bytes: u32) -> BTreeMap<AppId, Load> {
        BTreeMap::from([(app.id.clone(), Load { reports, bytes, ..Load::of(app, now()) })])
    }

    /// Reports of the library's size.
    fn reports(count: u32) -> BTreeMap<AppId, Load> {
        frame(count, 650 * count, 1)
    }

    impl Limits {
        fn send(&self, connection: &str, loads: &BTreeMap<AppId, Load>, at_ms: i64) -> Result<(), Rejection> {
            self.admit(&ConnectionId::new(connection), loads, now().plus_ms(at_ms))
        }
    }

    #[test]
    fn fifty_reports_a_second_and_full_batches_are_never_limited() {
        let limits = Limits::default();
        for second in 0..600 {
            for report in 0..50 {
                assert_eq!(limits.send("a=", &reports(1), second * 1_000 + report * 20), Ok(()));
            }
            assert_eq!(limits.send("a=", &frame(100, 30_720, 1), second * 1_000 + 999), Ok(()));
        }
    }

    #[test]
    fn library_reaches_the_limit_of_reports_before_that_of_bytes() {
        let limits = Limits::default();
        for index in 0..5_000 {
            assert_eq!(limits.send("a=", &reports(1), 0), Ok(()), "{index}");
        }
        let rejection = limits.send("a=", &reports(1), 0).unwrap_err();
        assert!(rejection.message.starts_with("too many reports of this connection"), "{rejection}");
    }

    #[test]
    fn large_reports_are_limited_by_their_bytes() {
        let limits = Limits::default();
        let large = frame(1, 100_000, 1);
        for _ in 0..40 {
            assert_eq!(limits.send("a=", &large, 0), Ok(()));
        }
        let rejection = limits.send("a=", &large, 0).unwrap_err();
        assert_eq!(rejection.code, Code::RateLimited);
        assert_eq!(rejection.message, "too many bytes of this connection, try again in 250 ms");
        assert_eq!(limits.send("a=", &reports(0), 0), Ok(()), "a rejected frame is not counted");
        assert_eq!(limits.send("a=", &large, 250), Ok(()));
    }

    #[test]
    fn batches_are_limited_by_connection_until_the_announced_time() {
        let limits = Limits::default();
        for _ in 0..50 {
            assert_eq!(limits.send("a=", &reports(100), 0), Ok(()));
        }
        let rejection = limits.send("a=", &reports(100), 0).unwrap_err();
        assert!(rejection.code == Code::RateLimited && rejection.code.is_retryable(), "{rejection}");
        assert!(rejection.message.ends_with("try again in 200 ms"), "{rejection}");
        assert_eq!(limits.send("b=", &reports(100), 0), Ok(()), "another connection has its own limit");
        assert_eq!(limits.send("a=", &reports(100), 200), Ok(()));
    }

    #[test]
    fn connections_share_the_limits_of_their_app_by_shards() {
        for (one_report, two_shards, limited) in [
            (frame(1, 100_000, 1), frame(1, 100_000, 2), "too many bytes of this app"),
            (reports(100), frame(100, 65_000, 2), "too many reports of this app"),
        ] {
            let limits = Limits::default();
            let send = |index: u32| limits.send(&format!("{}=", index / 30), &one_report, 0);
            let admitted = (0..).take_while(|index| send(*index).is_ok()).count();
            assert_eq!(admitted, 100, "ten thousand reports, or ten megabytes");
            assert!(send(1_000).unwrap_err().message.starts_with(limited));
            assert_eq!(limits.send("z=", &two_shards, 0), Ok(()));
        }
    }

    #[test]
    fn duplicates_are_given_back() {
        let limits = Limits::default();
        let mut app = app("shop");
        app.limits.reports = Some(1);
        let mut load = Load::of(&app, now());
        load.add(700);
        let loads = BTreeMap::from([(app.id, load)]);
        let send_until_limited = || (0..1_000).take_while(|_| limits.send("a=", &loads, 0).is_ok()).count();
        let burst = send_until_limited();
        limits.give_back(&ConnectionId::new("a="), &loads);
        assert_eq!((burst, send_until_limited()), (100, 1));
    }

    #[test]
    fn limits_of_an_app_replace_the_defaults() {
        let limits = Limits::default();
        let mut app = App { shards: 4, ..app("shop") };
        app.limits.reports = Some(20);
        assert_eq!(limits.send("a=", &frame_for(&app, 200, 0), 0), Ok(()), "a burst of ten seconds");
        let rejection = limits.send("b=", &frame_for(&app, 10, 0), 0).unwrap_err();
        assert_eq!(rejection.retry_after_ms, Some(500));
        assert_eq!(rejection.message, "too many reports of this app, try again in 500 ms");
        assert_eq!(limits.send("b=", &frame_for(&app, 10, 0), 500), Ok(()));
    }

    #[test]
    fn largest_frame_is_below_the_smallest_limits() {
        let mut app = app("shop");
        (app.limits.reports, app.limits.bytes) = (Some(1), Some(1_000));
        assert_eq!(Limits::default().send("a=", &frame_for(&app, 100, 30 * 1_024), 0), Ok(()));
    }
}
