//! How many reports and bytes a connection and an application may send in a second.
//!
//! Best effort, and free: each function instance counts what it sees itself, in memory; what several let through
//! together the rollup function tells, and it is refused here as the application says. Refuses a frame whole, so that
//! its sender knows what to send again. Ruled by design.md §8.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use nsl_domain::app::{App, Rates};
use nsl_domain::bounded::BoundedMap;
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

/// What one connection may send, whatever its applications may.
const CONNECTION: Rates = Rates { reports: CONNECTION_REPORTS, bytes: CONNECTION_BYTES };

/// What one frame brings to one application, and how much that may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    reports: u32,
    bytes: u32,
    rates: Rates,
    /// Milliseconds for which all reports of the application are refused.
    refused_for_ms: Option<i64>,
}

impl Load {
    /// Nothing yet, for `app` at `now`.
    pub(crate) fn of(app: &App, now: TimestampMs) -> Self {
        Self { reports: 0, bytes: 0, rates: app.rates(), refused_for_ms: app.refused_for_ms(now) }
    }

    /// One more report, of `bytes` bytes.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.reports += 1;
        self.bytes = self.bytes.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }
}

/// What one function instance has seen lately.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    meters: Mutex<Meters>,
}

#[derive(Debug, Default)]
struct Meters {
    connections: BoundedMap<ConnectionId, Meter>,
    apps: BoundedMap<(AppId, Rates), Meter>,
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
        if let Some(wait_ms) = loads.values().filter_map(|load| load.refused_for_ms).max() {
            return Err(limited(
                format!("this app sent more than it may, try again in {wait_ms} ms"),
                wait_ms,
            ));
        }
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let Meters { connections, apps } = &mut *meters;
        let reports = loads.values().map(|load| load.reports).sum();
        let bytes = loads.values().fold(0, |bytes: u32, load| bytes.saturating_add(load.bytes));
        let of_connection = connections.get_or_insert_mut(connection.clone(), || Meter::of(CONNECTION, now));
        of_connection.check(reports, bytes, now, "this connection")?;
        for (app, load) in loads {
            let of_app = apps.get_or_insert_mut((app.clone(), load.rates), || Meter::of(load.rates, now));
            of_app.check(load.reports, load.bytes, now, "this app")?;
        }
        of_connection.take(reports, bytes, now);
        for (app, load) in loads {
            let of_app = apps.get_or_insert_mut((app.clone(), load.rates), || Meter::of(load.rates, now));
            of_app.take(load.reports, load.bytes, now);
        }
        Ok(())
    }

    /// Gives back what [`Limits::admit`] counted of `loads`, which turned out to be a second copy.
    pub(crate) fn give_back(&self, connection: &ConnectionId, loads: &BTreeMap<AppId, Load>) {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        for (app, load) in loads {
            if let Some(of_app) = meters.apps.get_mut(&(app.clone(), load.rates)) {
                of_app.put_back(load);
            }
            if let Some(of_connection) = meters.connections.get_mut(connection) {
                of_connection.put_back(load);
            }
        }
    }
}

impl Meter {
    fn of(rates: Rates, now: TimestampMs) -> Self {
        Self { reports: TokenBucket::full(rates.reports, now), bytes: TokenBucket::full(rates.bytes, now) }
    }

    fn check(&self, reports: u32, bytes: u32, now: TimestampMs, whose: &str) -> Result<(), Rejection> {
        check(&self.reports, reports, now, "reports", whose)?;
        check(&self.bytes, bytes, now, "bytes", whose)
    }

    fn take(&mut self, reports: u32, bytes: u32, now: TimestampMs) {
        self.reports.take(reports, now);
        self.bytes.take(bytes, now);
    }

    fn put_back(&mut self, load: &Load) {
        self.reports.put_back(load.reports);
        self.bytes.put_back(load.bytes);
    }
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
            Err(limited(format!("too many {what} of {whose}, try again in {wait_ms} ms"), wait_ms))
        }
    }
}

fn limited(message: String, wait_ms: i64) -> Rejection {
    Rejection::new(Code::RateLimited, message).for_ms(wait_ms)
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
        BTreeMap::from([(
            AppId::new("shop").unwrap(),
            Load { reports, bytes, ..Load::of(&shop(shards), now()) },
        )])
    }

    fn shop(shards: u16) -> App {
        App { shards, ..crate::tests::app("shop", nsl_domain::app::Status::Active) }
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
    fn what_was_a_second_copy_leaves_its_room_to_others() {
        let limits = Limits::default();
        let mut app = shop(1);
        app.limits.reports = Some(1);
        let mut frame = Load::of(&app, now());
        frame.add(700);
        let loads = BTreeMap::from([(app.id.clone(), frame)]);
        let admitted = |_: &u32| limits.admit(&connection("a="), &loads, now()).is_ok();
        let burst = (0..1_000).take_while(admitted).count();
        limits.give_back(&connection("a="), &loads);
        assert_eq!((burst, (0..1_000).take_while(admitted).count()), (100, 1));
    }

    #[test]
    fn an_apps_own_limits_stand_in_place_of_the_defaults() {
        let limits = Limits::default();
        let mut app = shop(4);
        app.limits.reports = Some(20);
        let frame =
            |reports| BTreeMap::from([(app.id.clone(), Load { reports, bytes: 0, ..Load::of(&app, now()) })]);
        assert_eq!(limits.admit(&connection("a="), &frame(200), now()), Ok(()), "ten seconds at once");
        let refused = limits.admit(&connection("b="), &frame(10), now()).unwrap_err();
        assert_eq!(refused.retry_after_ms, Some(500));
        assert_eq!(refused.message, "too many reports of this app, try again in 500 ms");
        assert_eq!(limits.admit(&connection("b="), &frame(10), now().plus_ms(500)), Ok(()));
    }

    #[test]
    fn the_largest_frame_passes_the_narrowest_app() {
        let mut app = shop(1);
        (app.limits.reports, app.limits.bytes) = (Some(1), Some(1_000));
        let load = Load { reports: 100, bytes: 30 * 1_024, ..Load::of(&app, now()) };
        let frame = BTreeMap::from([(app.id.clone(), load)]);
        assert_eq!(Limits::default().admit(&connection("a="), &frame, now()), Ok(()));
    }

    #[test]
    fn an_app_that_sent_too_much_is_refused_until_it_may_again() {
        let limits = Limits::default();
        let app = App { limited_until: Some(now().plus_ms(90_000)), ..shop(1) };
        let sent_at = |at: TimestampMs| {
            let frame = BTreeMap::from([(app.id.clone(), Load { reports: 1, ..Load::of(&app, at) })]);
            limits.admit(&connection("a="), &frame, at)
        };
        let refused = sent_at(now()).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_ms), (Code::RateLimited, Some(90_000)));
        assert_eq!(sent_at(now().plus_ms(90_000)), Ok(()));
    }
}
